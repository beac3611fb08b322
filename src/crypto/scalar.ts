/** Order of the base point of ed25519, L. */
export const GROUP_ORDER: bigint = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The number that `bytes` (a multiple of 8) are, little-endian. */
export function littleEndian(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let value = 0n;
  for (let at = bytes.length - 8; at >= 0; at -= 8) {
    value = (value << 64n) | view.getBigUint64(at, true);
  }
  return value;
}

/** A number below 2^256 as 32 bytes, little-endian. */
export function toLittleEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < 4; i++) {
    view.setBigUint64(8 * i, BigInt.asUintN(64, value >> BigInt(64 * i)), true);
  }
  return bytes;
}

/** The ed25519 secret scalar of 32 uniform bytes: clamped (RFC 8032, 5.1.5), then taken mod L. */
export function clampedScalar(bytes: Uint8Array): bigint {
  const clamped = (littleEndian(bytes.subarray(0, 32)) & CLAMP_MASK) | CLAMP_BIT;
  return clamped % GROUP_ORDER;
}

/** Reduces 64 little-endian bytes mod L. */
export function wideScalar(bytes: Uint8Array): bigint {
  return littleEndian(bytes) % GROUP_ORDER;
}

const CLAMP_BIT = 1n << 254n;
const CLAMP_MASK = CLAMP_BIT - 8n;
