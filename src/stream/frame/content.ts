import type { Frame } from "./frame.ts";

/** What the payload of a `start` begins with: the mode of its stream. */
export const MODE_BYTES = 1;
/** What the payload of an `end` begins with: how long its stream is. */
export const FINAL_LENGTH_BYTES = 8;

const NOTHING = new Uint8Array(0);

/** The application's bytes of a frame. Borrowed. */
export function contentOf({ type, payload }: Frame): Uint8Array {
  if (type === "data") return payload;
  if (type === "start") return payload.subarray(MODE_BYTES);
  return type === "end" ? payload.subarray(FINAL_LENGTH_BYTES) : NOTHING;
}

/** How long the stream is that an `end` ends, in bytes, as its first bytes say. */
export function finalLengthOf({ payload }: Pick<Frame, "payload">): number {
  const view = new DataView(payload.buffer, payload.byteOffset, FINAL_LENGTH_BYTES);
  return Number(view.getBigUint64(0));
}

/** The first bytes of the payload of an `end`. */
export function encodeFinalLength(bytes: number): Uint8Array {
  const written = new Uint8Array(FINAL_LENGTH_BYTES);
  new DataView(written.buffer).setBigUint64(0, BigInt(bytes));
  return written;
}
