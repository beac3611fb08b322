import { crypto } from "./select.ts";

/** How many bytes a cell is longer than the frame in it: nonce and tag. */
export const CELL_OVERHEAD_BYTES = 40;

const NONCE_BYTES = 24;

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
  crypto().secretboxSeal(key, nonce, frame, into.subarray(NONCE_BYTES));
  return into;
}

/** The frame of a cell, or `undefined` when the cell was not sealed under this key. */
export function openCell(key: Uint8Array, cell: Uint8Array): Uint8Array | undefined {
  if (cell.length < CELL_OVERHEAD_BYTES) return undefined;
  return crypto().secretboxOpen(key, cell.subarray(0, NONCE_BYTES), cell.subarray(NONCE_BYTES));
}
