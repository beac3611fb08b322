import { concatBytes } from "../../base/index.ts";
import { decodeCbor, encodeCbor, sealFrame } from "../../codec/index.ts";
import { broken } from "../message/cbor-items.ts";
import { isTypeName, META_BYTES_MAX } from "../message/envelope.ts";
import type { Method } from "../message/manifest.ts";

/** What the frames of a streaming call are. */
export const CALL_FRAME = {
  open: 1,
  item: 2,
  end: 3,
  reply: 4,
  failed: 5,
  accepted: 6,
} as const;

/** A frame of a streaming call: its type, and bytes that are a view of what came. */
export interface CallFrame {
  readonly type: number;
  readonly body: Uint8Array;
}

/** The first frame: what is called, and how. */
export interface CallOpening {
  readonly method: string;
  readonly kind: StreamingKind;
  /** Life of the call, counted from the arrival of this frame. */
  readonly totalMs: number;
  readonly meta: Uint8Array;
  /** The request, or nothing where there is none. */
  readonly request: Uint8Array;
}

/** The kinds that have a stream of their own. */
export type StreamingKind = Exclude<Method["kind"], "unary">;

/** All of them, in the order of their numbers on the wire. */
export const STREAMING_KINDS: readonly StreamingKind[] = [
  "serverStream",
  "clientStream",
  "duplex",
  "raw",
];

const VERSION = 1;
const TOTAL_MS_MAX = 2 ** 32 - 1;
/** What a frame takes beyond its longest item: type, and the fields of an opening. */
export const CALL_FRAME_OVERHEAD = 2_048;

/** The frame's bytes, length included. */
export function encodeCallFrame(type: number, body: Uint8Array): Uint8Array {
  return sealFrame(concatBytes(Uint8Array.of(0, 0, 0, 0, type), body));
}

/** Reads a frame without its length, which has one byte at least. */
export function readCallFrame(bytes: Uint8Array): CallFrame {
  return { type: bytes[0] ?? 0, body: bytes.subarray(1) };
}

/** A CBOR array of fixed length. */
export function encodeOpening({ method, kind, totalMs, meta, request }: CallOpening): Uint8Array {
  return encodeCbor([
    VERSION,
    method,
    STREAMING_KINDS.indexOf(kind) + 1,
    Math.ceil(totalMs),
    meta,
    request,
  ]);
}

/** @throws CulvertError `CULVERT_PROTOCOL` */
export function readOpening(bytes: Uint8Array): CallOpening {
  const value = decodeCbor(bytes, { maxBytes: bytes.length, maxDepth: 1 });
  if (!Array.isArray(value) || value.length !== 6) throw broken("opening", "is no array of six");
  const [version, method, kindNumber, totalMs, meta, request] = value;
  if (version !== VERSION) throw broken("version", "is not 1");
  if (typeof method !== "string" || !isTypeName(method)) throw broken("method", "is no name");
  const kind = typeof kindNumber === "number" ? STREAMING_KINDS[kindNumber - 1] : undefined;
  if (kind === undefined) throw broken("kind", "is unknown");
  const isTime = typeof totalMs === "number" && Number.isInteger(totalMs);
  if (!isTime || totalMs < 1 || totalMs > TOTAL_MS_MAX) throw broken("totalMs", "is no time");
  const isMeta = meta instanceof Uint8Array && meta.length <= META_BYTES_MAX;
  if (!isMeta || !(request instanceof Uint8Array)) throw broken("meta or request", "is not bytes");
  return { method, kind, totalMs, meta, request };
}
