import { GROUP_ORDER, toLittleEndian } from "./scalar.ts";

/**
 * The one rule for ed25519 encodings. Libraries differ at the edges (small order, non-canonical
 * encodings, S ≥ L), and a Map whose nodes disagree on a record is broken; so these checks run
 * before every provider's own.
 *
 * Source: Chalkias, Garillot, Nikolaenko, "Taming the Many EdDSAs", 2020.
 */

/**
 * True when `encoded` is 32 bytes, its y is below 2^255 − 19 and is not that of a point of small
 * order. Whether there is a point with this y is for the curve arithmetic to find out.
 */
export function isPlausiblePoint(encoded: Uint8Array): boolean {
  if (encoded.length !== 32) return false;
  const top = (encoded[31] as number) & 0x7f;
  if (top === 0x7f && (encoded[0] as number) >= 0xed && isAllOnes(encoded)) return false;
  for (const y of SMALL_ORDER_Y) {
    if (y[0] === encoded[0] && y[31] === top && sharesMiddle(y, encoded)) return false;
  }
  return true;
}

/** True when `signature` is 64 bytes, R is plausible and S, little-endian, is below L. */
export function isPlausibleSignature(signature: Uint8Array): boolean {
  return (
    signature.length === 64 &&
    isBelowOrder(signature, 32) &&
    isPlausiblePoint(signature.subarray(0, 32))
  );
}

/** True when the 32 little-endian bytes from `at` on are a number below L. */
export function isBelowOrder(bytes: Uint8Array, at: number): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (bytes[at + i] as number) - (ORDER_BYTES[i] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** The field, 2^255 - 19, and the y of one of the points of order 8. */
const FIELD = 2n ** 255n - 19n;
const ORDER_8_Y = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;

/** The y of the eight points whose order divides 8; the sign bit of x is left out. */
const SMALL_ORDER_Y: readonly Uint8Array[] = [0n, 1n, FIELD - 1n, ORDER_8_Y, FIELD - ORDER_8_Y].map(
  toLittleEndian,
);
const ORDER_BYTES = toLittleEndian(GROUP_ORDER);

function isAllOnes(encoded: Uint8Array): boolean {
  for (let i = 1; i < 31; i++) if (encoded[i] !== 0xff) return false;
  return true;
}

function sharesMiddle(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 1; i < 31; i++) if (a[i] !== b[i]) return false;
  return true;
}
