import { requireMethods, requireObject, requireOneOf } from "../../base/index.ts";
import { isTypeName } from "./envelope.ts";
import type { MessageCodec } from "./message-codec.ts";

/** One request, one reply: runs at most once, over any carrier, whatever it loses. */
export interface UnaryMethod<Request, Reply> {
  readonly kind: "unary";
  readonly request: MessageCodec<Request>;
  readonly reply: MessageCodec<Reply>;
  /** True when running it twice does no harm: then it survives a restart of the peer. */
  readonly isIdempotent: boolean;
}

/** One request, many items. */
export interface ServerStreamMethod<Request, Item> {
  readonly kind: "serverStream";
  readonly request: MessageCodec<Request>;
  readonly down: MessageCodec<Item>;
}

/** Many items, one reply. */
export interface ClientStreamMethod<Item, Reply> {
  readonly kind: "clientStream";
  readonly up: MessageCodec<Item>;
  readonly reply: MessageCodec<Reply>;
}

/** Items both ways, each at its own pace. */
export interface DuplexMethod<Up, Down> {
  readonly kind: "duplex";
  readonly up: MessageCodec<Up>;
  readonly down: MessageCodec<Down>;
}

/** One request, then a byte stream that belongs to caller and handler. */
export interface RawMethod<Request> {
  readonly kind: "raw";
  readonly request: MessageCodec<Request>;
}

/** What a manifest holds, whatever its types. */
export type Method =
  | UnaryMethod<unknown, unknown>
  | ServerStreamMethod<unknown, unknown>
  | ClientStreamMethod<unknown, unknown>
  | DuplexMethod<unknown, unknown>
  | RawMethod<unknown>;

/** What a node can be asked, by name: letters, digits, `.` and `-`, a lower-case letter first. */
export type Manifest = Readonly<Record<string, Method>>;

/** Declares a method of one request and one reply. */
export function unary<Request, Reply>(codecs: {
  readonly request: MessageCodec<Request>;
  readonly reply: MessageCodec<Reply>;
  readonly isIdempotent?: boolean;
}): UnaryMethod<Request, Reply> {
  requireCodecs(codecs, "request", "reply");
  const { request, reply, isIdempotent = false } = codecs;
  return { kind: "unary", request, reply, isIdempotent };
}

/** Declares a method of one request and many items. */
export function serverStream<Request, Item>(codecs: {
  readonly request: MessageCodec<Request>;
  readonly down: MessageCodec<Item>;
}): ServerStreamMethod<Request, Item> {
  requireCodecs(codecs, "request", "down");
  return { kind: "serverStream", ...codecs };
}

/** Declares a method of many items and one reply. */
export function clientStream<Item, Reply>(codecs: {
  readonly up: MessageCodec<Item>;
  readonly reply: MessageCodec<Reply>;
}): ClientStreamMethod<Item, Reply> {
  requireCodecs(codecs, "up", "reply");
  return { kind: "clientStream", ...codecs };
}

/** Declares a method of items both ways. */
export function duplex<Up, Down>(codecs: {
  readonly up: MessageCodec<Up>;
  readonly down: MessageCodec<Down>;
}): DuplexMethod<Up, Down> {
  requireCodecs(codecs, "up", "down");
  return { kind: "duplex", ...codecs };
}

/** Declares a method of one request and a byte stream after it. */
export function raw<Request>(codecs: {
  readonly request: MessageCodec<Request>;
}): RawMethod<Request> {
  requireCodecs(codecs, "request");
  return { kind: "raw", ...codecs };
}

const KINDS: readonly Method["kind"][] = ["unary", "serverStream", "clientStream", "duplex", "raw"];

/**
 * @throws RangeError when a name of `manifest` cannot cross, or names a method of no kind;
 *   TypeError for what is no manifest
 */
export function requireManifest(manifest: Manifest): void {
  requireObject("manifest", manifest);
  for (const [name, method] of Object.entries(manifest)) {
    if (!isTypeName(name)) throw new RangeError(`"${name}" cannot be the name of a method`);
    requireObject(`the method "${name}"`, method);
    requireOneOf(`the kind of "${name}"`, method.kind, KINDS);
  }
}

/** @throws TypeError for what does not say how values cross */
export function requireCodec(name: string, codec: unknown): void {
  requireMethods(name, codec, "encode", "decode");
}

function requireCodecs(codecs: object, ...names: readonly string[]): void {
  requireObject("codecs", codecs);
  const given = new Map<string, unknown>(Object.entries(codecs));
  for (const name of names) requireCodec(name, given.get(name));
}
