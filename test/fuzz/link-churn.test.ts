import { expect, it } from "vitest";
import { CASES } from "./fuzz.ts";
import { LinkChurn } from "./link-churn.ts";
import { seedMachine } from "./seed-machine.ts";

const WORLDS = Math.ceil(CASES / 1_000);
const { CULVERT_FUZZ_SEED = "1" } = process.env;
const PATIENCE_MS = 3_600_000;

it(
  "links lose and repeat nothing, and come to their end, whatever befalls them",
  async () => {
    const setMachine = seedMachine();
    for (let seed = Number(CULVERT_FUZZ_SEED), left = WORLDS; left > 0; seed++, left--) {
      setMachine(seed);
      const life = new LinkChurn(seed);
      expect(await life.run(), `seed ${seed}: ${JSON.stringify(life.plan)}`).toEqual([]);
    }
  },
  PATIENCE_MS,
);

it("a life is the same each time", async () => {
  const setMachine = seedMachine();
  const traces: string[] = [];
  for (let i = 0; i < 2; i++) {
    setMachine(5);
    const life = new LinkChurn(5);
    await life.run();
    traces.push(life.network.traceHash);
  }
  expect(traces[0]).toBe(traces[1]);
});

it("and a wrong byte is seen", async () => {
  expect((await new LinkChurn(5, { isBlind: true }).run()).join()).toMatch("a wrong byte");
});
