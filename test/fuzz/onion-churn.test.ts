import { expect, it } from "vitest";
import { LIVES_MS, lifeSeeds, tellLife } from "./fuzz.ts";
import { ChurnRun } from "./onion-churn.ts";

it(
  "onions end what they begin, and accuse nobody in vain, whatever nodes, lines and clocks do",
  async () => {
    for (const seed of lifeSeeds(5_000)) {
      const run = new ChurnRun(seed);
      const told = tellLife(seed, run.plan);
      expect(await run.run(), told).toEqual([]);
    }
  },
  LIVES_MS,
);

it(
  "and a judge that takes hostile nodes for honest ones cries out",
  async () => {
    expect((await new ChurnRun(3, { isBlind: true }).run()).join()).toMatch("an honest");
  },
  LIVES_MS,
);
