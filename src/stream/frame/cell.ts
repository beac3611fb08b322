import type { Random } from "../../base/index.ts";
import {
  CELL_OVERHEAD_BYTES,
  openCell,
  SECRETBOX_NONCE_BYTES,
  sealCell,
} from "../../crypto/index.ts";
import { type DecodedFrame, decodeFrame, encodeFrame, type Frame } from "./frame.ts";
import type { FrameKey } from "./frame-keys.ts";

/** Bytes of the frame id in front of a sealed frame. */
export const FRAME_ID_BYTES = 32;

/**
 * Seals a frame: its id (32 bytes) and its cell in one array owned by the caller, `into` if that is
 * given, of exactly that length. The nonce is fresh randomness, so sealing again never repeats one,
 * not even after a restored backup.
 */
export function sealFrame(
  frame: Frame,
  options: { keys: FrameKey; cellBytes: number; random: Random; into?: Uint8Array },
): Uint8Array {
  const { keys, cellBytes, random } = options;
  const sealed = options.into ?? new Uint8Array(FRAME_ID_BYTES + cellBytes);
  sealed.set(keys.frameId);
  const cell = sealed.subarray(FRAME_ID_BYTES);
  // Written where its ciphertext goes: a frame is copied once.
  const plain = encodeFrame(frame, cell.subarray(CELL_OVERHEAD_BYTES));
  sealCell(keys.key, random.bytes(SECRETBOX_NONCE_BYTES), plain, cell);
  return sealed;
}

/** An opened frame, or why there is none: `closed` means that the cell did not open. */
export type OpenedCell = DecodedFrame | { readonly kind: "closed" };

/**
 * Opens a cell of whatever length and content. Never throws. The cell is handed over: its frame may
 * lie in its place. What does not open is as it was, and so is the nonce of what does.
 */
export function openFrame(cell: Uint8Array, keys: FrameKey, cellBytes: number): OpenedCell {
  if (cell.length !== cellBytes) return { kind: "closed" };
  const opened = openCell(keys.key, cell, { isInPlace: true });
  return opened === undefined ? { kind: "closed" } : decodeFrame(opened);
}
