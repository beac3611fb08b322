import { crc32 } from "node:zlib";
import { CulvertError, isBytes } from "../base/index.ts";

const SUM_BYTES = 4;

/**
 * The bytes with their CRC-32 (ISO 3309) behind them, for what is kept for long: disks lose bits.
 * It finds accidents only; whoever can write there has the secrets in it anyway.
 */
export function withChecksum(bytes: Uint8Array): Uint8Array {
  const kept = new Uint8Array(bytes.length + SUM_BYTES);
  kept.set(bytes);
  new DataView(kept.buffer).setUint32(bytes.length, crc32(bytes));
  return kept;
}

/**
 * What {@link withChecksum} was given; a view.
 *
 * @throws CulvertError `CULVERT_BAD_STATE` when it is not what it was
 */
export function withoutChecksum(kept: Uint8Array): Uint8Array {
  if (!isBytes(kept)) throw new CulvertError("CULVERT_BAD_STATE", "a state is a Uint8Array");
  const length = kept.length - SUM_BYTES;
  const view = new DataView(kept.buffer, kept.byteOffset, kept.byteLength);
  const bytes = kept.subarray(0, Math.max(length, 0));
  if (length >= 0 && view.getUint32(length) === crc32(bytes)) return bytes;
  throw new CulvertError("CULVERT_BAD_STATE", "the state is damaged, or of an earlier build");
}
