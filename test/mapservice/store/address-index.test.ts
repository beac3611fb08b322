import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { AddressIndex, type Place } from "../../../src/mapservice/store/address-index.ts";

const SECRET = new Uint8Array(16).fill(5);

describe("the index of addresses", () => {
  test("agrees with a map of lists through any insertions and removals", () => {
    const random = new SeededRandom(1);
    const index = new AddressIndex(200, SECRET);
    const model = new Map<number, Place[]>();
    let size = 0;
    for (let step = 0; step < 50_000; step++) {
      // Few tags, close together: long runs, many collisions, wraps around the end.
      const tag = random.below(2) === 0 ? 1 + random.below(40) : 2 ** 32 - 1 - random.below(20);
      const places = model.get(tag) ?? [];
      const place = { bucket: random.below(3), serial: random.below(1_000_000) };
      if (random.below(2) === 0 && size < 200) {
        expect(index.insert(tag, place)).toBe(true);
        model.set(tag, [...places, place]);
        size += 1;
      } else {
        const gone = places[random.below(Math.max(places.length, 1))];
        expect(index.remove(tag, gone ?? place)).toBe(gone !== undefined);
        if (gone !== undefined) size -= 1;
        model.set(
          tag,
          places.filter((kept) => kept !== gone),
        );
      }
      expect(index.size).toBe(size);
      if (step % 50 === 0) {
        for (const [key, expected] of model) {
          const byOrder = (a: Place, b: Place) => a.serial - b.serial || a.bucket - b.bucket;
          expect(index.places(key).toSorted(byOrder)).toEqual(expected.toSorted(byOrder));
        }
      }
    }
  });

  test("takes as many as it was made for, and says when it is full", () => {
    const index = new AddressIndex(1_000, SECRET);
    let taken = 0;
    while (index.insert(taken + 1, { bucket: 0, serial: taken })) taken += 1;
    expect(taken).toBeGreaterThanOrEqual(1_000);
    expect(taken).toBeLessThan(3_000);
  });

  test("has tags that depend on every byte, and on the secret", () => {
    const index = new AddressIndex(10, SECRET);
    const other = new AddressIndex(10, new Uint8Array(16).fill(6));
    const address = new SeededRandom(1).bytes(32);
    const tag = index.tagOf(address);
    expect(index.tagOf(address.slice())).toBe(tag);
    expect(other.tagOf(address)).not.toBe(tag);
    for (let i = 0; i < 32; i++) {
      const bent = address.slice();
      bent[i] = (bent[i] ?? 0) ^ 1;
      expect(index.tagOf(bent)).not.toBe(tag);
    }
  });

  test("spreads tags evenly, also those of addresses that differ in one place", () => {
    const index = new AddressIndex(10, SECRET);
    const counts = new Array<number>(64).fill(0);
    for (let i = 0; i < 64_000; i++) {
      const address = new Uint8Array(32);
      new DataView(address.buffer).setUint32(4 * (i % 8), i);
      const at = index.tagOf(address) & 63;
      counts[at] = (counts[at] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(800);
    expect(Math.max(...counts)).toBeLessThan(1_200);
  });

  test("never gives the tag that marks a free slot", () => {
    const index = new AddressIndex(10, new Uint8Array(16));
    const random = new SeededRandom(2);
    for (let i = 0; i < 10_000; i++) expect(index.tagOf(random.bytes(32))).toBeGreaterThan(0);
    expect(index.tagOf(new Uint8Array(32))).toBeGreaterThan(0);
  });
});
