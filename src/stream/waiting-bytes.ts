import type { Readable } from "node:stream";

/** What Node's streams know of their decoder; nothing public tells it. */
interface Decoding {
  readonly decoder?: { readonly lastNeed: number; readonly lastTotal: number } | null;
}

/**
 * Bytes that a stream was given and its application was not: those in the readable buffer. Of text
 * only its absence can be told, and how much of a character waits in the decoder for the rest.
 */
export function waitingBytes(stream: Readable): number {
  const { readableLength, readableEncoding } = stream;
  if (readableEncoding === null) return readableLength;
  if (readableLength > 0) return Number.POSITIVE_INFINITY;
  const { decoder } = (stream as Readable & { readonly _readableState: Decoding })._readableState;
  return decoder ? decoder.lastTotal - decoder.lastNeed : 0;
}
