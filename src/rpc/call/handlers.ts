import type { NodeId } from "../../identity/index.ts";
import type { ByteDuplex } from "../byte-duplex.ts";
import type {
  ClientStreamMethod,
  DuplexMethod,
  Manifest,
  Method,
  RawMethod,
  ServerStreamMethod,
  UnaryMethod,
} from "../message/manifest.ts";
import type { Meta } from "../message/meta.ts";
import type { Deadline } from "./deadline.ts";

/** What a handler knows of its call. */
export interface CallContext {
  /** Who asks: proved by the carrier. */
  readonly peer: NodeId;
  readonly method: string;
  /** Aborted when the caller turns away, at the deadline, and when the node closes by force. */
  readonly signal: AbortSignal;
  readonly deadline: Deadline;
  /** What the caller's middleware passed on. */
  readonly meta: Meta;
}

/**
 * Takes a raw call: from then on its stream is the handler's until it returns. To refuse the call,
 * throw before.
 */
export type Accept = () => Promise<ByteDuplex>;

/** The handler that a method asks for. */
export type HandlerOf<M extends Method> =
  M extends UnaryMethod<infer Request, infer Reply>
    ? (request: Request, context: CallContext) => Reply | Promise<Reply>
    : M extends ServerStreamMethod<infer Request, infer Item>
      ? (request: Request, context: CallContext) => AsyncIterable<Item>
      : M extends ClientStreamMethod<infer Item, infer Reply>
        ? (items: AsyncIterable<Item>, context: CallContext) => Promise<Reply>
        : M extends DuplexMethod<infer Up, infer Down>
          ? (items: AsyncIterable<Up>, context: CallContext) => AsyncIterable<Down>
          : M extends RawMethod<infer Request>
            ? (request: Request, accept: Accept, context: CallContext) => Promise<void>
            : never;

/** A handler for every method of a manifest. */
export type Handlers<M extends Manifest> = { readonly [Name in keyof M]: HandlerOf<M[Name]> };

/** How one call is made. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** For the whole call; the limits' default if absent. */
  readonly totalMs?: number;
  /** For the first message of a stream that comes back. */
  readonly firstMs?: number;
  /** Between two messages of a stream that come back. */
  readonly betweenMs?: number;
  readonly meta?: Meta;
  /** Called once when the answer to a unary call is late; it still counts. */
  readonly onLate?: () => void;
}

/** The function that calls a method. */
export type CallOf<M extends Method> =
  M extends UnaryMethod<infer Request, infer Reply>
    ? (request: Request, options?: CallOptions) => Promise<Reply>
    : M extends ServerStreamMethod<infer Request, infer Item>
      ? (request: Request, options?: CallOptions) => AsyncIterableIterator<Item>
      : M extends ClientStreamMethod<infer Item, infer Reply>
        ? (items: ItemSource<Item>, options?: CallOptions) => Promise<Reply>
        : M extends DuplexMethod<infer Up, infer Down>
          ? (items: ItemSource<Up>, options?: CallOptions) => AsyncIterableIterator<Down>
          : M extends RawMethod<infer Request>
            ? (request: Request, options?: CallOptions) => Promise<ByteDuplex>
            : never;

/** Items to send, asked for one by one as they can be sent. */
export type ItemSource<Item> = AsyncIterable<Item> | Iterable<Item>;

/** Everything that a manifest offers, as functions. */
export type Caller<M extends Manifest> = { readonly [Name in keyof M]: CallOf<M[Name]> };
