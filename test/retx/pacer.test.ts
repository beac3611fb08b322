import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { OPEN_PACER, PoissonPacer } from "../../src/retx/index.ts";

const MEAN_MS = 4_687.5;

/** The gaps of a sender that always has something to send. */
function gaps(count: number, seed: number): number[] {
  const pacer = new PoissonPacer({ meanMs: MEAN_MS, random: new SeededRandom(seed) });
  pacer.take(0);
  const drawn: number[] = [];
  for (let now = 0; drawn.length < count; ) {
    drawn.push(pacer.deadline() - now);
    now = pacer.deadline();
    expect(pacer.ready(now)).toBe(true);
    pacer.take(now);
  }
  return drawn;
}

describe("pacing", () => {
  it("lets everything leave at once when it is open", () => {
    OPEN_PACER.take(1);
    expect(OPEN_PACER.ready(1)).toBe(true);
    expect(OPEN_PACER.deadline()).toBe(Number.NEGATIVE_INFINITY);
  });

  it("lets the first request leave at once and holds the next one back", () => {
    const pacer = new PoissonPacer({ meanMs: MEAN_MS, random: new SeededRandom(3) });
    expect(pacer.ready(0)).toBe(true);
    pacer.take(0);
    const next = pacer.deadline();
    expect(next).toBeGreaterThan(0);
    expect(pacer.ready(next - 0.001)).toBe(false);
    expect(pacer.ready(next)).toBe(true);
  });

  it("spaces requests exponentially with the mean that was asked for", () => {
    const drawn = gaps(40_000, 5);
    const mean = drawn.reduce((sum, gap) => sum + gap, 0) / drawn.length;
    const square = drawn.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / drawn.length;
    expect(mean / MEAN_MS).toBeCloseTo(1, 1);
    expect(Math.sqrt(square) / mean).toBeCloseTo(1, 1);
    const above = drawn.filter((gap) => gap > 2 * MEAN_MS).length / drawn.length;
    expect(above).toBeCloseTo(Math.exp(-2), 2);
  });

  it("keeps one permission over a silence, never two", () => {
    const pacer = new PoissonPacer({ meanMs: MEAN_MS, random: new SeededRandom(7) });
    pacer.take(0);
    const later = 1_000 * MEAN_MS;
    expect(pacer.ready(later)).toBe(true);
    pacer.take(later);
    expect(pacer.ready(later)).toBe(false);
  });

  it("refuses a mean that is no duration", () => {
    const random = new SeededRandom(1);
    for (const meanMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new PoissonPacer({ meanMs, random })).toThrow(RangeError);
    }
  });
});
