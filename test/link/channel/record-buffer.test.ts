import { describe, expect, it } from "vitest";
import { concatBytes, SeededRandom } from "../../../src/base/index.ts";
import { RecordBuffer } from "../../../src/link/channel/record-buffer.ts";

function boxed(bytes: number, fill: number): Uint8Array {
  return concatBytes(Uint8Array.of(bytes >> 8, bytes), new Uint8Array(bytes).fill(fill));
}

/** What comes, in the order in which it is taken: the length and the first byte of each box. */
function takeAll(records: RecordBuffer): (readonly [number, number | undefined])[] {
  const taken: (readonly [number, number | undefined])[] = [];
  for (let box = records.take(); box !== undefined; box = records.take()) {
    taken.push([box.length, box[0]]);
  }
  return taken;
}

describe("boxes in a byte stream", () => {
  it.each([1, 2, 3])(
    "come with the bytes that were missing, and with no fewer, seed %i",
    (seed) => {
      const random = new SeededRandom(seed);
      const sizes = Array.from({ length: 200 }, () => 1 + random.below(random.below(3_000) + 1));
      const stream = concatBytes(...sizes.map((bytes, index) => boxed(bytes, index)));
      const records = new RecordBuffer(3_000);
      const taken: (readonly [number, number | undefined])[] = [];
      for (let at = 0; at < stream.length; ) {
        const missing = records.missingBytes;
        expect(missing).toBeGreaterThan(0);
        // Now what is missing, now less, now more; in memory of its own or behind what came before.
        const count = [missing, 1 + random.below(missing), missing + random.below(100)];
        const to = at + (count[random.below(3)] ?? 1);
        const chunk = stream.subarray(at, to);
        records.push(random.below(2) === 0 ? chunk : chunk.slice());
        if (chunk.length < missing) expect(records.isReady).toBe(false);
        if (missing > 1 && chunk.length >= missing) expect(records.isReady).toBe(true);
        taken.push(...takeAll(records));
        at = to;
      }
      expect(taken).toEqual(sizes.map((bytes, index) => [bytes, index & 0xff]));
      expect(records.isAmid).toBe(false);
    },
  );

  it("misses one byte where the next length is not known, or refused", () => {
    const records = new RecordBuffer(100);
    expect(records.missingBytes).toBe(1);
    records.push(Uint8Array.of(0));
    expect(records.missingBytes).toBe(1);
    records.push(Uint8Array.of(101));
    expect(records.missingBytes).toBe(1);
    expect(() => records.take()).toThrow(expect.objectContaining({ code: "CULVERT_PROTOCOL" }));
  });
});
