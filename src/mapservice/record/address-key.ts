import { assert } from "../../base/index.ts";

/**
 * 32 bytes as a key for a `Map`: sixteen UTF-16 units of two bytes each. Four times faster to make
 * than hexadecimal, which matters where a repeated request costs a few microseconds in all.
 */
export function addressKey(address: Uint8Array): string {
  assert(address.length === 32, "an address has 32 bytes");
  const units: number[] = [];
  for (let i = 0; i < 32; i += 2) {
    units.push((address[i] as number) | ((address[i + 1] as number) << 8));
  }
  return String.fromCharCode(...units);
}
