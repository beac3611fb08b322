import { expect, it } from "vitest";
import { CASES } from "./fuzz.ts";
import { type ReachCanary, ReachChurn } from "./reach-churn.ts";
import { seedMachine } from "./seed-machine.ts";

const WORLDS = Math.ceil(CASES / 2_000);
const { CULVERT_FUZZ_SEED = "1" } = process.env;
const PATIENCE_MS = 3_600_000;

it(
  "nodes behind NATs reach each other and come to their end, whatever a rude one does among them",
  async () => {
    const setMachine = seedMachine();
    let punched = 0;
    for (let seed = Number(CULVERT_FUZZ_SEED), left = WORLDS; left > 0; seed++, left--) {
      setMachine(seed);
      const life = new ReachChurn(seed);
      expect(await life.run(), `seed ${seed}: ${JSON.stringify(life.plan)}`).toEqual([]);
      punched += life.punched;
    }
    // Else the lives show less than they say. One seed alone may be of symmetric NATs.
    if (WORLDS > 2) expect(punched).toBeGreaterThan(0);
  },
  PATIENCE_MS,
);

it.each<[ReachCanary, RegExp]>([
  ["wrong-byte", /a wrong byte/],
  ["wrong-victim", /datagrams to somebody else/],
  ["left-timer", /timers of a closed life/],
])("and what is planted is seen: %s", async (canary, fault) => {
  seedMachine()(3);
  expect((await new ReachChurn(3, canary).run()).join()).toMatch(fault);
});
