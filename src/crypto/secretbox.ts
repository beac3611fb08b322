import { type InPlaceOption, SECRETBOX_NONCE_BYTES, SECRETBOX_TAG_BYTES } from "./provider.ts";
import { crypto } from "./select.ts";

/** How many bytes a cell is longer than the frame in it. */
export const CELL_OVERHEAD_BYTES: number = SECRETBOX_NONCE_BYTES + SECRETBOX_TAG_BYTES;

/**
 * Seals a frame: `nonce 24 ‖ secretbox(frame)`, written into `into` if that is given. The nonce
 * must be fresh and random. The frame may be where its ciphertext goes, `into` from byte 40 on.
 */
export function sealCell(
  key: Uint8Array,
  nonce: Uint8Array,
  frame: Uint8Array,
  into: Uint8Array = new Uint8Array(CELL_OVERHEAD_BYTES + frame.length),
): Uint8Array {
  into.set(nonce);
  crypto().secretboxSeal(key, nonce, frame, into.subarray(SECRETBOX_NONCE_BYTES));
  return into;
}

/**
 * The frame of a cell, or `undefined` when the cell was not sealed under this key: then nothing was
 * written to it. With `isInPlace` the cell is handed over, and the frame may be a view of it; its
 * nonce stays.
 */
export function openCell(
  key: Uint8Array,
  cell: Uint8Array,
  options?: InPlaceOption,
): Uint8Array | undefined {
  if (cell.length < CELL_OVERHEAD_BYTES) return undefined;
  const nonce = cell.subarray(0, SECRETBOX_NONCE_BYTES);
  return crypto().secretboxOpen(key, nonce, cell.subarray(SECRETBOX_NONCE_BYTES), options);
}
