import { expect, it } from "vitest";
import { LIVES_MS, lifeSeeds, tellLife } from "./fuzz.ts";
import { type ReachCanary, ReachChurn } from "./reach-churn.ts";
import { seedMachine } from "./seed-machine.ts";

it(
  "nodes behind NATs reach each other and come to their end, whatever a rude one does among them",
  async () => {
    const setMachine = seedMachine();
    const seeds = lifeSeeds(2_000);
    let punchable = 0;
    for (const seed of seeds) {
      setMachine(seed);
      const life = new ReachChurn(seed);
      const told = tellLife(seed, life.plan);
      expect(await life.run(), told).toEqual([]);
      if (!life.isPunchable) continue;
      punchable += 1;
      expect(life.punched, told).toBeGreaterThan(0);
    }
    // Else the lives show less than they say. A few may have no two NATs that let a punch through.
    if (seeds.length > 20) expect(punchable).toBeGreaterThan(0);
  },
  LIVES_MS,
);

it.each<[ReachCanary, RegExp]>([
  ["wrong-byte", /a wrong byte/],
  ["wrong-victim", /datagrams to somebody else/],
  ["left-timer", /timers of a closed life/],
  ["no-peace", /a path is lost in peace/],
  ["no-way", /no direct path/],
  ["wrong-relay", /a voucher of somebody else/],
  ["no-offers", /offers taken/],
  ["no-room", /a crowd keeps another one/],
  ["no-half", /offers at once/],
])("and what is planted is seen: %s", async (canary, fault) => {
  seedMachine()(3);
  expect((await new ReachChurn(3, canary).run()).join()).toMatch(fault);
});
