import { describe, expect, it } from "vitest";
import { FailurePauses } from "../../../src/stream/exchange/failure-pauses.ts";

/** The lengths of so many pauses, each begun when the one before is over. */
function lengthsOf(pauses: FailurePauses, rtoMs: number, count: number): number[] {
  return Array.from({ length: count }, () => {
    const now = Math.max(pauses.until, 0);
    pauses.begin(now, rtoMs);
    return pauses.until - now;
  });
}

describe("the pause after a failure", () => {
  it("is none before the first", () => {
    expect(new FailurePauses().until).toBe(Number.NEGATIVE_INFINITY);
  });

  it.each([
    ["a fast Map: as long as the RTO, then up to a second", 50, [50, 100, 200, 400, 800, 1_000]],
    ["a slow one: short, then up to the RTO", 3_000, [250, 500, 1_000, 2_000, 3_000, 3_000]],
    ["any: sixteen seconds at the most", 60_000, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000]],
  ])("doubles while nothing is answered; of %s", (_, rtoMs, lengths) => {
    const pauses = new FailurePauses();
    expect(lengthsOf(pauses, rtoMs, lengths.length)).toEqual(lengths);
    expect(lengthsOf(pauses, rtoMs, 1)).toEqual(lengths.slice(-1));
  });

  it("is short again after an answer, but not over sooner", () => {
    const pauses = new FailurePauses();
    lengthsOf(pauses, 3_000, 4);
    const { until } = pauses;
    pauses.answered();
    expect(pauses.until).toBe(until);
    expect(lengthsOf(pauses, 3_000, 1)).toEqual([250]);
  });
});
