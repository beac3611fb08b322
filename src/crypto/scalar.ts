import { wipe } from "../base/index.ts";

/** Order of the base point of ed25519, L. */
export const GROUP_ORDER: bigint = 2n ** 252n + 27742317777372353535851937790883648493n;

/**
 * Where numbers and bytes are turned into each other: to look at short bytes through a view of
 * their own would move each of them off the heap first. Holds nothing between two calls.
 */
const place = new Uint8Array(64);
const view = new DataView(place.buffer);

/** The number that `bytes` (8 to 64, a multiple of 8) are, little-endian; or the first of them. */
export function littleEndian(bytes: Uint8Array, length: number = bytes.length): bigint {
  place.set(bytes);
  let value = 0n;
  for (let at = length - 8; at >= 0; at -= 8) {
    value = (value << 64n) | view.getBigUint64(at, true);
  }
  wipe(place);
  return value;
}

/** A number below 2^256 as 32 bytes, little-endian. */
export function toLittleEndian(value: bigint): Uint8Array {
  for (let i = 0; i < 4; i++) {
    view.setBigUint64(8 * i, BigInt.asUintN(64, value >> BigInt(64 * i)), true);
  }
  const bytes = place.slice(0, 32);
  wipe(place);
  return bytes;
}

/** The ed25519 secret scalar of 32 uniform bytes: clamped (RFC 8032, 5.1.5), then taken mod L. */
export function clampedScalar(bytes: Uint8Array): bigint {
  const clamped = (littleEndian(bytes, 32) & CLAMP_MASK) | CLAMP_BIT;
  return clamped % GROUP_ORDER;
}

/** Reduces 64 little-endian bytes mod L. */
export function wideScalar(bytes: Uint8Array): bigint {
  return littleEndian(bytes) % GROUP_ORDER;
}

const CLAMP_BIT = 1n << 254n;
const CLAMP_MASK = CLAMP_BIT - 8n;
