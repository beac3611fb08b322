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

it("and an oracle sees a node that nobody finds", () => {
  const violations = new DhtChurn(1, { isFirstMortal: true, isOneCutOff: true }).run();
  expect(violations.some((one) => one.endsWith(": missing"))).toBe(true);
});

it("and an oracle sees a value that is wrong", () => {
  const violations: string[] = [];
  for (let seed = 1; seed <= 5; seed++) {
    violations.push(...new DhtChurn(seed, { isGullible: true }).run());
  }
  expect(violations).toContain("a wrong value");
});
