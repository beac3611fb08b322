import { expect, it } from "vitest";
import { CASES } from "./fuzz.ts";
import { ChurnRun } from "./onion-churn.ts";

const WORLDS = Math.ceil(CASES / 5_000);
const { CULVERT_FUZZ_SEED = "1" } = process.env;
const PATIENCE_MS = 3_600_000;

it(
  "onions end what they begin, and accuse nobody in vain, whatever nodes, lines and clocks do",
  async () => {
    for (let seed = Number(CULVERT_FUZZ_SEED), left = WORLDS; left > 0; seed++, left--) {
      const run = new ChurnRun(seed);
      expect(await run.run(), `seed ${seed}: ${JSON.stringify(run.plan)}`).toEqual([]);
    }
  },
  PATIENCE_MS,
);

it(
  "and a judge that takes hostile nodes for honest ones cries out",
  async () => {
    expect((await new ChurnRun(3, { isBlind: true }).run()).join()).toMatch("an honest");
  },
  PATIENCE_MS,
);
