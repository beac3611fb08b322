import { expect, it } from "vitest";
import { LIVES_MS, lifeSeeds, tellLife } from "./fuzz.ts";
import { LinkChurn } from "./link-churn.ts";
import { seedMachine } from "./seed-machine.ts";

it(
  "links lose and repeat nothing, and come to their end, whatever befalls them",
  async () => {
    const setMachine = seedMachine();
    for (const seed of lifeSeeds(1_000)) {
      setMachine(seed);
      const life = new LinkChurn(seed);
      const told = tellLife(seed, life.plan);
      expect(await life.run(), told).toEqual([]);
    }
  },
  LIVES_MS,
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
