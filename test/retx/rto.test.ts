import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { RTO_DEFAULTS, RtoEstimator, type RtoOptions } from "../../src/retx/index.ts";

function estimator(options: Partial<RtoOptions> = {}): RtoEstimator {
  return new RtoEstimator({ random: new SeededRandom(1), ...options });
}

describe("RtoEstimator", () => {
  it("starts with its guess and takes the first sample as RFC 6298 does", () => {
    const rto = estimator();
    expect(rto.meanMs).toBeUndefined();
    expect(rto.rtoMs()).toBe(3_000);
    rto.sample(400);
    expect(rto.meanMs).toBe(400);
    expect(rto.rtoMs()).toBe(400 + 4 * 200);
  });

  it("follows the recurrences of RFC 6298 from the second sample on", () => {
    const rto = estimator();
    rto.sample(100);
    rto.sample(180);
    const mean = (7 * 100 + 180) / 8;
    const deviation = (3 * 50 + 80) / 4;
    expect(rto.meanMs).toBeCloseTo(mean);
    expect(rto.rtoMs()).toBeCloseTo(mean + 4 * deviation);
  });

  it("keeps an eighth of the mean as room on a perfectly steady path", () => {
    const rto = estimator();
    for (let i = 0; i < 200; i++) rto.sample(2_000);
    expect(rto.rtoMs()).toBeCloseTo(2_250);
  });

  it("never falls under its floor", () => {
    const rto = estimator();
    for (let i = 0; i < 100; i++) rto.sample(0.05);
    expect(rto.rtoMs()).toBe(RTO_DEFAULTS.minMs);
  });

  it("doubles with every silence up to its cap, and is restored by any answer", () => {
    const rto = estimator();
    for (let i = 0; i < 200; i++) rto.sample(2_000);
    const base = rto.rtoMs();
    rto.backoff();
    expect(rto.rtoMs()).toBeCloseTo(2 * base);
    for (let i = 0; i < 5_000; i++) rto.backoff();
    expect(rto.rtoMs()).toBe(60_000);
    rto.restore();
    expect(rto.rtoMs()).toBeCloseTo(base);
    rto.backoff();
    rto.sample(2_000);
    expect(rto.rtoMs()).toBeCloseTo(base);
  });

  it("forgets the path when it is reset", () => {
    const rto = estimator();
    rto.sample(20);
    rto.backoff();
    rto.reset();
    expect(rto.meanMs).toBeUndefined();
    expect(rto.rtoMs()).toBe(3_000);
  });

  it("draws time-outs that differ, from the RTO up to the jitter above it", () => {
    const rto = estimator({ jitter: 0.25 });
    const drawn = Array.from({ length: 500 }, () => rto.drawMs());
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(3_000);
    expect(Math.max(...drawn)).toBeLessThan(3_750);
    expect(Math.max(...drawn)).toBeGreaterThan(3_700);
    expect(new Set(drawn).size).toBeGreaterThan(490);
  });

  it("stays between floor and cap, and above the mean, whatever it is told", () => {
    const event = fc.oneof(
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.constant("backoff" as const),
      fc.constant("restore" as const),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), (events) => {
        const rto = estimator();
        for (const next of events) {
          if (next === "backoff") rto.backoff();
          else if (next === "restore") rto.restore();
          else rto.sample(next);
          const now = rto.rtoMs();
          expect(now).toBeGreaterThanOrEqual(RTO_DEFAULTS.minMs);
          expect(now).toBeLessThanOrEqual(RTO_DEFAULTS.maxMs);
          const mean = Math.min(rto.meanMs ?? 0, RTO_DEFAULTS.maxMs);
          expect(now).toBeGreaterThanOrEqual(mean);
        }
      }),
    );
  });

  it("settles on a steady round trip from any history", () => {
    const samples = fc.array(fc.double({ min: 0, max: 60_000, noNaN: true }), { maxLength: 50 });
    fc.assert(
      fc.property(samples, fc.double({ min: 100, max: 20_000, noNaN: true }), (history, rtt) => {
        const rto = estimator();
        for (const sample of history) rto.sample(sample);
        for (let i = 0; i < 300; i++) rto.sample(rtt);
        expect(rto.rtoMs() / rtt).toBeCloseTo(1.125, 3);
      }),
    );
  });

  it("makes another one of the same tuning, which has seen nothing", () => {
    const first = estimator({ initialMs: 700, minMs: 300, maxMs: 900 });
    first.sample(800);
    const other = first.another();
    expect(other.meanMs).toBeUndefined();
    expect(other.rtoMs()).toBe(700);
    other.sample(1);
    expect(other.rtoMs()).toBe(300);
    expect(first.rtoMs()).toBe(900);
  });

  it("refuses times that are out of order", () => {
    expect(() => estimator({ minMs: 0 })).toThrow(RangeError);
    expect(() => estimator({ minMs: 5_000 })).toThrow(RangeError);
    expect(() => estimator({ maxMs: Number.POSITIVE_INFINITY })).toThrow(RangeError);
    expect(() => estimator({ jitter: 2 })).toThrow(RangeError);
    // Text is joined where numbers are added: a time-out of "100" and some would be a day.
    for (const value of ["100", null, true, undefined, Number.NaN, 100n]) {
      for (const name of ["initialMs", "minMs", "maxMs", "jitter"]) {
        expect(() => estimator({ [name]: value })).toThrow(RangeError);
      }
    }
    expect(() => estimator().sample(Number.NaN)).toThrow(/round trip/);
  });
});
