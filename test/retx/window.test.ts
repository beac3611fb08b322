import { describe, expect, it } from "vitest";
import { RateWindow } from "../../src/retx/index.ts";

/** Feeds one sample per round trip and gives the size after it. */
function feed(window: RateWindow, from: number, rtts: readonly number[]): number {
  let now = from;
  for (const rttMs of rtts) {
    now += rttMs;
    window.sample({ rttMs, meanMs: rttMs }, now);
  }
  return now;
}

describe("RateWindow", () => {
  it("starts at its maximum and stays there on a steady path", () => {
    const window = new RateWindow({ refusedMin: 4, min: 16, max: 64 });
    expect(window.size).toBe(64);
    feed(
      window,
      0,
      Array.from({ length: 100 }, () => 2_000),
    );
    expect(window.size).toBe(64);
  });

  it("shrinks to rate times the tolerated round trip when a queue grows", () => {
    const window = new RateWindow({ refusedMin: 1, min: 4, max: 64 });
    const now = feed(window, 0, [10]);
    // 64 requests at 200 a second take 320 ms; 2 × 10 + 50 ms of them are 14.
    window.sample({ rttMs: 320, meanMs: 320 }, now + 320);
    expect(window.size).toBe(14);
  });

  it("never shrinks below its minimum, and grows back when the queue is gone", () => {
    const window = new RateWindow({ refusedMin: 4, min: 16, max: 64 });
    const now = feed(window, 0, [10, ...Array.from({ length: 20 }, () => 1_000)]);
    expect(window.size).toBe(16);
    feed(
      window,
      now,
      Array.from({ length: 200 }, () => 10),
    );
    expect(window.size).toBe(64);
  });

  it("halves at most once per round trip when requests are refused", () => {
    const window = new RateWindow({ refusedMin: 2, min: 16, max: 64 });
    for (let i = 0; i < 10; i++) window.refused(5, 100);
    expect(window.size).toBe(32);
    window.refused(105, 100);
    expect(window.size).toBe(16);
  });

  it("gives way further to refusals than to a queue, and grows back from there", () => {
    const window = new RateWindow({ refusedMin: 4, min: 16, max: 64 });
    for (let now = 0; now < 1_000; now += 100) window.refused(now, 100);
    expect(window.size).toBe(4);
    feed(window, 1_000, [10, 1_000]);
    expect(window.size).toBe(5);
    feed(
      window,
      3_000,
      Array.from({ length: 20 }, () => 10),
    );
    expect(window.size).toBe(64);
  });

  it("forgets a shortest round trip that the path no longer has", () => {
    const window = new RateWindow({ refusedMin: 1, min: 4, max: 64 });
    const now = feed(window, 0, [10]);
    const later = feed(
      window,
      now,
      Array.from({ length: 2_000 }, () => 100),
    );
    expect(later).toBeGreaterThan(120_000);
    expect(window.size).toBe(64);
  });

  it("is no more than its bound, below its minimum too, and as before without it", () => {
    const window = new RateWindow({ refusedMin: 4, min: 16, max: 64 });
    window.bound = 3;
    expect(window.size).toBe(3);
    feed(window, 0, [10, 10]);
    expect(window.size).toBe(3);
    window.bound = Number.POSITIVE_INFINITY;
    expect(window.size).toBe(64);
  });

  it("refuses limits that contradict each other", () => {
    for (const [refusedMin, min, max] of [
      [0, 4, 4] as const,
      [5, 4, 8] as const,
      [1, 5, 4] as const,
    ])
      expect(() => new RateWindow({ refusedMin, min, max })).toThrow(RangeError);
  });
});
