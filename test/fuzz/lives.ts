import { expect, it, type MockInstance, onTestFinished } from "vitest";
import type { Rule, Violation } from "../../src/testing/world/index.ts";
import { LIVES_MS, lifeSeeds, tellLife } from "./fuzz.ts";
import { seedMachine } from "./seed-machine.ts";

/** Streams of one kind and all that befalls them, as it follows from a seed. */
interface Life {
  readonly plan: unknown;
  run(): Promise<{ readonly violation: Violation | undefined; readonly traceHash: string }>;
}

type Begin = (seed: number) => Life;

/** No rule is broken in any life, and the same seed is the same life. */
export function testLives(title: string, begin: Begin): void {
  it(
    title,
    async () => {
      const seedWith = seedMachine();
      for (const seed of lifeSeeds(1_000)) {
        seedWith(seed);
        const life = begin(seed);
        const told = tellLife(seed, life.plan);
        const { violation } = await life.run();
        expect(violation, told).toBeUndefined();
      }
    },
    LIVES_MS,
  );

  it("the same seed is the same life", async () => {
    const seedWith = seedMachine();
    const live = async (seed: number) => {
      seedWith(seed);
      return await begin(seed).run();
    };
    const [one, again, other] = [await live(1), await live(1), await live(2)];
    expect(again).toEqual(one);
    expect(other.traceHash).not.toBe(one.traceHash);
  });
}

/** The rule that is broken first in one of some lives, when a defect is planted. */
export async function brokenRule(begin: Begin): Promise<Rule | undefined> {
  const seedWith = seedMachine();
  for (let seed = 1; seed <= 20; seed++) {
    seedWith(seed);
    const { violation } = await begin(seed).run();
    if (violation !== undefined && violation.rule !== "failure") return violation.rule;
  }
  return undefined;
}

/** A defect that is there until its test is over. */
export function plant(mock: MockInstance): void {
  onTestFinished(() => mock.mockRestore());
}
