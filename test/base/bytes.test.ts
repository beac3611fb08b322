import { describe, expect, it } from "vitest";
import { equalBytes, fromHex, SeededRandom, toHex } from "../../src/base/index.ts";

/** A copy that begins so many bytes into a buffer of its own. */
function placedAt(offset: number, bytes: Uint8Array): Uint8Array {
  const place = new Uint8Array(offset + bytes.length + 3).subarray(offset, offset + bytes.length);
  place.set(bytes);
  return place;
}

describe("equalBytes", () => {
  it("finds every difference, at every length and alignment", () => {
    const random = new SeededRandom(1);
    for (const length of [0, 1, 32, 255, 256, 257, 258, 259, 1_024, 1_037]) {
      const bytes = random.bytes(length);
      for (const [from, to] of [
        [0, 0],
        [1, 1],
        [3, 7],
        [0, 1],
        [2, 3],
      ] as const) {
        const [a, b] = [placedAt(from, bytes), placedAt(to, bytes)];
        expect(equalBytes(a, b)).toBe(true);
        for (let at = 0; at < length; at++) {
          b[at] = (b[at] ?? 0) ^ 0x80;
          if (equalBytes(a, b))
            throw new Error(`misses byte ${at} of ${length}, ${from} and ${to}`);
          b[at] = (b[at] ?? 0) ^ 0x80;
        }
      }
    }
  });

  it("tells arrays of different lengths apart", () => {
    expect(equalBytes(new Uint8Array(300), new Uint8Array(301))).toBe(false);
  });
});

describe("toHex", () => {
  it("tells what Node's buffers tell, at every length, and is read back", () => {
    const random = new SeededRandom(2);
    for (const length of [0, 1, 2, 32, 1_023, 1_024, 1_025, 5_000]) {
      const bytes = random.bytes(length);
      expect(toHex(bytes)).toBe(Buffer.from(bytes).toString("hex"));
      expect(fromHex(toHex(bytes))).toEqual(bytes);
    }
  });
});
