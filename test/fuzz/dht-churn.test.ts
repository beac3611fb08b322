import { expect, it } from "vitest";
import { DhtChurn } from "./dht-churn.ts";
import { LIVES_MS, lifeSeeds, tellLife } from "./fuzz.ts";

it(
  "a DHT ends what it begins, and finds itself again, whatever nodes and lines do",
  () => {
    for (const seed of lifeSeeds(1_000)) {
      const churn = new DhtChurn(seed);
      const told = tellLife(seed, churn.plan);
      expect(churn.run(), told).toEqual([]);
    }
  },
  LIVES_MS,
);

it(
  "whoever was told of whoever lives finds them again, though those that all began with are gone",
  () => {
    for (const seed of lifeSeeds(1_000)) {
      const churn = new DhtChurn(seed, { isFirstMortal: true });
      const told = tellLife(seed, churn.plan);
      expect(churn.run(), told).toEqual([]);
    }
  },
  LIVES_MS,
);

const CUT_OFF = { isFirstMortal: true, isOneCutOff: true };

it("and an oracle sees a node that nobody finds", () => {
  // Whether the one that is cut off is found by others all the same goes by the life it has.
  const lives = [1, 2, 3].map((seed) => new DhtChurn(seed, CUT_OFF).run());
  expect(lives.some((life) => life.some((one) => one.endsWith(": missing")))).toBe(true);
});

it("and an oracle sees a value that is wrong", () => {
  const violations: string[] = [];
  for (let seed = 1; seed <= 5; seed++) {
    violations.push(...new DhtChurn(seed, { isGullible: true }).run());
  }
  expect(violations).toContain("a wrong value");
});
