import { expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { REQUEST_LIMITS } from "../../../src/rpc/index.ts";
import { RetryPauses } from "../../../src/rpc/request/retry-pauses.ts";

const HARD_MS = 64_000;
const PLACE = { place: "a.ask", hardMs: HARD_MS };

/** Each pause is up to a tenth longer. */
function pausesOf(isReliable: boolean, tookMs?: number): number[] {
  const pauses = new RetryPauses({
    limits: REQUEST_LIMITS,
    random: new SeededRandom(1),
    isReliable,
  });
  if (tookMs !== undefined) pauses.sample(PLACE.place, tookMs);
  return [1, 2, 3, 9].map((copies) => pauses.after(copies, PLACE) / 1.1);
}

it("a carrier that is reliable is trusted for a quarter of the life of a request", () => {
  for (const pauseMs of pausesOf(true, 10)) {
    expect(pauseMs).toBeLessThanOrEqual(HARD_MS / 4);
    expect(pauseMs).toBeGreaterThan(HARD_MS / 4 / 1.1);
  }
});

it("over another one pauses double, up to a 64th of that life", () => {
  const [first = 0, second = 0, third = 0, ninth = 0] = pausesOf(false, 10);
  expect(first).toBeLessThan(HARD_MS / 64 / 4);
  expect(second).toBeGreaterThan(1.5 * first);
  expect(third).toBeGreaterThan(1.5 * second);
  expect(ninth).toBeLessThanOrEqual(HARD_MS / 64);
  expect(ninth).toBeGreaterThan(HARD_MS / 64 / 1.1);
});

it("after a disturbance not all repeat at once, and what was sent more often later", () => {
  const random = new SeededRandom(1);
  const pauses = new RetryPauses({ limits: REQUEST_LIMITS, random, isReliable: true });
  const drawn = Array.from({ length: 100 }, () => pauses.soon());
  const once = drawn.map((pauseMs) => pauseMs(1));
  expect(Math.min(...once)).toBeLessThan(20);
  expect(Math.max(...once)).toBeGreaterThan(80);
  expect(Math.max(...once)).toBeLessThanOrEqual(100);
  for (const pauseMs of drawn) expect(pauseMs(3)).toBeCloseTo(4 * pauseMs(1));
});
