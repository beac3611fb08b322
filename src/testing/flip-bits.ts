import type { SeededRandom } from "../base/index.ts";

/** A copy in which so many bits, drawn one by one, are flipped. */
export function flipBits(bytes: Uint8Array, random: SeededRandom, flips: number): Uint8Array {
  const copy = bytes.slice();
  for (let left = flips; left > 0; left--) {
    const at = random.below(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  }
  return copy;
}
