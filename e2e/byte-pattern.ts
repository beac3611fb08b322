/** The bytes of an endless stream from `offset` on: wherever one looks, they tell their place. */
export function patternAt(offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const at = offset + i;
    bytes[i] = (at * 31 + Math.floor(at / 256) * 7 + Math.floor(at / 65_536) * 11) & 0xff;
  }
  return bytes;
}
