import { concatBytes, utf8 } from "../../base/index.ts";
import { crypto } from "../../crypto/index.ts";
import type { MapRecord } from "./record.ts";

/** Length of a stamp: a number, big-endian, that nothing but luck can find. */
export const STAMP_BYTES: number = 8;

/** The stamp of who was not asked for work. */
export const NO_STAMP: Uint8Array = new Uint8Array(STAMP_BYTES);

const LABEL = utf8("culvert/v1/work");

/**
 * How many zero bits the stamp's hash begins with: `SHA-256(label ‖ node key ‖ address ‖ signature
 * ‖ stamp)`. Work is good for one record at one node, and for every repetition of that put.
 */
export function stampBits(record: MapRecord, nodeKey: Uint8Array, stamp: Uint8Array): number {
  return leadingZeroBits(
    crypto().sha256(concatBytes(LABEL, nodeKey, record.address, record.signature, stamp)),
  );
}

/**
 * Searches the next `tries` stamps from `from` on for one of `bits` zero bits. Bounded, so that the
 * caller can breathe between two searches.
 *
 * @returns the stamp, or `undefined` when none of them has enough
 */
export function searchStamp(
  record: MapRecord,
  nodeKey: Uint8Array,
  search: { readonly bits: number; readonly from: number; readonly tries: number },
): Uint8Array | undefined {
  const preimage = concatBytes(LABEL, nodeKey, record.address, record.signature, NO_STAMP);
  const stamp = preimage.subarray(preimage.length - STAMP_BYTES);
  const view = new DataView(preimage.buffer, preimage.length - STAMP_BYTES);
  for (let tried = 0; tried < search.tries; tried++) {
    view.setBigUint64(0, BigInt(search.from + tried));
    if (leadingZeroBits(crypto().sha256(preimage)) >= search.bits) return stamp.slice();
  }
  return undefined;
}

function leadingZeroBits(hash: Uint8Array): number {
  let bits = 0;
  for (const byte of hash) {
    bits += Math.clz32(byte) - 24;
    if (byte !== 0) break;
  }
  return bits;
}
