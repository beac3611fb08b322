import { describe, expect, it } from "vitest";
import { FairBucket } from "../../src/retx/index.ts";

const RATE = { capacity: 100, perSecond: 10 };

/** How many of so many tries are taken. */
function taken(bucket: FairBucket, key: string, tries: number, now = 0): number {
  return Array.from({ length: tries }, () => bucket.take(key, now)).filter(Boolean).length;
}

describe("a bucket that many share", () => {
  it("gives one alone half of it, and the whole rate afterwards", () => {
    const bucket = new FairBucket(RATE, 0);
    expect(taken(bucket, "a", 1_000)).toBe(50);
    let later = 0;
    for (let now = 0; now <= 10_000; now += 10) later += taken(bucket, "a", 3, now);
    expect(later).toBe(100);
  });

  it.each([1, 2, 9, 49])("has room for one more while %d take all they can", (others) => {
    const bucket = new FairBucket(RATE, 0);
    const keys = Array.from({ length: others }, (_, i) => `other ${i}`);
    for (let now = 0; now < 60_000; now += 50) {
      for (const key of keys) taken(bucket, key, 20, now);
    }
    expect(bucket.take("honest", 60_000)).toBe(true);
  });

  it("shares the rate with one that takes all, and gives nobody more than there is", () => {
    const bucket = new FairBucket(RATE, 0);
    const counts = { flood: 0, honest: 0 };
    for (let now = 0; now <= 100_000; now += 10) {
      counts.flood += taken(bucket, "flood", 5, now);
      counts.honest += taken(bucket, "honest", 1, now);
    }
    expect(counts.flood + counts.honest).toBeLessThanOrEqual(100 + 1_000);
    expect(counts.honest).toBeGreaterThanOrEqual(500);
  });

  it("saves nothing up beyond what it holds", () => {
    const bucket = new FairBucket(RATE, 0);
    taken(bucket, "a", 100);
    expect(taken(bucket, "a", 1_000, 1_000_000)).toBe(50);
  });
});
