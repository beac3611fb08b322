import { expect, test } from "vitest";
import {
  RULES,
  runWorld,
  shareDerivations,
  streamSubjects,
  type WorldPlan,
  type WorldReport,
  writeAtOnce,
} from "../../src/testing/world/index.ts";
import { CANARIES, type Canary } from "./canaries.ts";

shareDerivations();

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];
const HOUR_MS = 3_600_000;
const HEALTHY = streamSubjects({ cellBytes: 256, options: { durable: true } });

function run(seed: number, canary: Pick<Canary, "plan" | "plant">): WorldReport {
  const plan: Omit<WorldPlan, "create"> = {
    seed,
    faults: { rttMs: 200, loss: 0.2 },
    a: { writer: writeAtOnce(6_000) },
    b: { writer: writeAtOnce(0) },
    commitMsMax: 20,
    limitMs: 12 * HOUR_MS,
    ...canary.plan,
  };
  return runWorld({ ...plan, create: canary.plant(HEALTHY) });
}

test.each(CANARIES)("a core that $bug breaks the rule of $rule", (canary) => {
  const isCaught = SEEDS.some((seed) => run(seed, canary).violation?.rule === canary.rule);
  expect(isCaught).toBe(true);
});

test("the core without them breaks none", () => {
  // Two of the canaries are rules that a healthy core would break, too: they are left out.
  const fair = CANARIES.filter(({ rule }) => rule !== "memory" && rule !== "pace");
  for (const { plan } of fair) {
    for (const seed of SEEDS.slice(0, 3)) {
      const canary = plan === undefined ? {} : { plan };
      expect(run(seed, { ...canary, plant: (create) => create }).violation).toBeUndefined();
    }
  }
});

test("every rule has a canary", () => {
  const missing = RULES.filter((rule) => !CANARIES.some((canary) => canary.rule === rule));
  expect(missing).toEqual([]);
});
