import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import type { NodeId } from "../../../src/identity/index.ts";
import { ExitBudget } from "../../../src/onion/map/exit-budget.ts";

const random = new SeededRandom(1);
const exit = random.bytes(32) as NodeId;
const addresses = Array.from({ length: 50 }, () => random.bytes(32));

describe("the budget of an exit", () => {
  it("ends after so many frames, is whole again once they are forgotten, and keeps no more", () => {
    const budget = new ExitBudget({ framesPerExit: 10, spanMs: 1_000 });
    for (const address of addresses) {
      if (budget.allows(exit, address, 0)) budget.spend(exit, address, 0);
    }
    expect(budget.size).toBe(10);
    expect(budget.hasRoom(exit, 0)).toBe(false);
    expect(addresses.map((address) => budget.allows(exit, address, 999))).toEqual(
      addresses.map((_, i) => i < 10), // what it has seen, it may see again
    );
    expect(budget.hasRoom(exit, 1_000)).toBe(true);
    expect(budget.size).toBe(0);
  });

  it("holds in every span, wherever that begins", () => {
    const budget = new ExitBudget({ framesPerExit: 10, spanMs: 1_000 });
    const shown: number[] = [];
    for (let now = 0; now < 10_000; now += 7) {
      const address = random.bytes(32);
      if (!budget.allows(exit, address, now) || random.unit() < 0.8) continue;
      budget.spend(exit, address, now);
      shown.push(now);
    }
    const within = shown.map((from) => shown.filter((at) => at >= from && at < from + 1_000));
    expect(Math.max(...within.map(({ length }) => length))).toBe(10);
    expect(shown.length).toBeGreaterThan(80);
  });

  it("counts a frame from when it was shown last", () => {
    const budget = new ExitBudget({ framesPerExit: 1, spanMs: 1_000 });
    const [first = exit, second = exit] = addresses;
    for (const now of [0, 900]) budget.spend(exit, first, now);
    expect([1_800, 1_900].map((now) => budget.allows(exit, second, now))).toEqual([false, true]);
  });

  it("keeps nothing of exits that are not asked for any more", () => {
    const budget = new ExitBudget({ framesPerExit: 10, spanMs: 1_000 });
    let most = 0;
    for (let now = 0; now < 100_000; now += 100) {
      budget.spend(random.bytes(32), random.bytes(32), now);
      // One that is used again and again is the first one that was known.
      budget.spend(exit, random.bytes(32), now);
      most = Math.max(most, budget.size);
    }
    expect(most).toBeLessThanOrEqual(21);
  });

  it("remembers nothing of what it does not limit", () => {
    const framesPerExit = Number.POSITIVE_INFINITY;
    const budget = new ExitBudget({ framesPerExit, spanMs: 1_000 });
    for (const address of addresses) {
      expect(budget.allows(exit, address, 0)).toBe(true);
      budget.spend(exit, address, 0);
    }
    expect(budget.size).toBe(0);
    expect(budget.hasRoom(exit, 0)).toBe(true);
    expect(budget.isAnySpent(0)).toBe(false);
  });
});
