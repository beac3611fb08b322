import {
  CulvertError,
  requireBytes,
  requireObject,
  requireOneOf,
  requireWhole,
} from "../base/index.ts";
import { Reader, UnreadBytes, Writer } from "../codec/index.ts";

/** The numbers of the messages that Culvert speaks (VoidPhone module specification 2021-0.1). */
export const MESSAGE_TYPES = {
  rpsQuery: 540,
  rpsPeer: 541,
  onionBuild: 560,
  onionReady: 561,
  onionIncoming: 562,
  onionDestroy: 563,
  onionData: 564,
  onionError: 565,
  onionCover: 566,
  dhtPut: 650,
  dhtGet: 651,
  dhtSuccess: 652,
  dhtFailure: 653,
  ping: 660,
  store: 661,
  findNode: 662,
  findValue: 663,
  pingReply: 670,
  storeReply: 671,
  findNodeReply: 672,
  findValueReply: 673,
  peerError: 680,
} as const;

/** The largest message: its size has 16 bits and counts its own header. */
export const MESSAGE_BYTES_MAX = 65_535;

/** `size u16 | type u16`. */
const HEADER_BYTES = 4;

/** Bytes of a key, of a node id and of an RPC id. */
export const KEY_BYTES = 32;

/**
 * For what a caller here gives: a key of another length would move what stands behind it, and end
 * as another key.
 *
 * @throws TypeError for what are no bytes
 * @throws RangeError
 */
export function requireKey(key: Uint8Array): void {
  requireBytes("a key or an id", key, KEY_BYTES);
}

/**
 * For what a caller here gives: a module ends the connection of whoever sends an empty one.
 *
 * @throws TypeError for what are no bytes
 * @throws RangeError
 */
export function requireFilled(name: string, bytes: Uint8Array): void {
  requireBytes(name, bytes);
  if (bytes.length === 0) throw new RangeError(`${name} has at least one byte`);
}

/**
 * For what a caller here gives: there is no message of another kind.
 *
 * @throws TypeError for what is no object
 * @throws RangeError
 */
export function requireKind(
  name: string,
  message: { readonly kind: string },
  kinds: readonly string[],
): void {
  requireObject(name, message);
  requireOneOf("kind", message.kind, kinds);
}

/**
 * For what a caller here gives: nobody is reached at port 0.
 *
 * @throws RangeError
 */
export function requirePort(port: number): void {
  requireWhole("a port", port, 1, 65_535);
}

/**
 * Writes one message: the header, then what `body` writes.
 *
 * @throws CulvertError `CULVERT_TOO_LARGE` when the size field cannot hold its size
 */
export function encodeMessage(type: number, body: (writer: Writer) => void): Uint8Array {
  const writer = new Writer().u16(0).u16(type);
  body(writer);
  const message = writer.finish();
  if (message.length > MESSAGE_BYTES_MAX) {
    const detail = { type, bytes: message.length, limit: MESSAGE_BYTES_MAX };
    throw new CulvertError("CULVERT_TOO_LARGE", "a VoidPhone message is too long", { detail });
  }
  Writer.into(message).u16(message.length);
  return message;
}

/**
 * The type and the body of one whole message, which is borrowed.
 *
 * @throws CulvertError `CULVERT_PROTOCOL` when its size field says something else than its size
 */
export function openMessage(message: Uint8Array): { readonly type: number; readonly body: Reader } {
  requireBytes("a message", message);
  const body = new Reader(message);
  const size = body.u16("size");
  const type = body.u16("type");
  if (size !== message.length) body.refuse("size", `${size}, but there are ${message.length}`);
  return { type, body };
}

/** The rest of a message, which is its last field: that is never empty. */
export function readRest(body: Reader, field: string): Uint8Array {
  if (body.remaining === 0) body.refuse(field, "is empty");
  return body.rest();
}

/**
 * Cuts a byte stream into messages by their size field. Memory stays within twice what is unread,
 * whatever the sizes of the chunks.
 */
export class MessageBuffer {
  readonly #unread = new UnreadBytes();

  /** Bytes that are here and were not taken yet. */
  get length(): number {
    return this.#unread.length;
  }

  /** Adds a chunk, which is handed over. */
  push(chunk: Uint8Array): void {
    this.#unread.push(chunk);
  }

  /**
   * The next whole message, header included: a view. `undefined` when it is not all here.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` when a size is below that of a header: where the next
   *   message begins is then unknown
   */
  take(): Uint8Array | undefined {
    const size = this.#unread.peekU16();
    if (size === undefined) return undefined;
    if (size < HEADER_BYTES) {
      const detail = { field: "size", size };
      throw new CulvertError("CULVERT_PROTOCOL", "a message is smaller than its header", {
        detail,
      });
    }
    return this.length < size ? undefined : this.#unread.take(size);
  }
}
