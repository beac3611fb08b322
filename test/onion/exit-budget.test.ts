import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import type { NodeId } from "../../src/identity/index.ts";
import { ExitBudget } from "../../src/onion/exit-budget.ts";

const random = new SeededRandom(1);
const exit = random.bytes(32) as NodeId;
const addresses = Array.from({ length: 50 }, () => random.bytes(32));

describe("the budget of an exit", () => {
  it("ends after so many frames, is whole again in the next epoch, and remembers no more", () => {
    const budget = new ExitBudget({ framesPerExit: 10, epochMs: 1_000 });
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

  it("remembers nothing of what it does not limit", () => {
    const framesPerExit = Number.POSITIVE_INFINITY;
    const budget = new ExitBudget({ framesPerExit, epochMs: 1_000 });
    for (const address of addresses) {
      expect(budget.allows(exit, address, 0)).toBe(true);
      budget.spend(exit, address, 0);
    }
    expect(budget.size).toBe(0);
    expect(budget.hasRoom(exit, 0)).toBe(true);
    expect(budget.isAnySpent(0)).toBe(false);
  });
});
