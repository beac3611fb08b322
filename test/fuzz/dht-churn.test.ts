import { expect, it } from "vitest";
import { DhtChurn } from "./dht-churn.ts";
import { CASES } from "./fuzz.ts";

const WORLDS = Math.ceil(CASES / 1_000);
const { CULVERT_FUZZ_SEED = "1" } = process.env;
const PATIENCE_MS = 3_600_000;

it(
  "a DHT ends what it begins, and finds itself again, whatever nodes and lines do",
  () => {
    for (let seed = Number(CULVERT_FUZZ_SEED), left = WORLDS; left > 0; seed++, left--) {
      const churn = new DhtChurn(seed);
      expect(churn.run(), `seed ${seed}: ${JSON.stringify(churn.plan)}`).toEqual([]);
    }
  },
  PATIENCE_MS,
);

it(
  "whoever was told of whoever lives finds them again, though those that all began with are gone",
  () => {
    const from = Number(CULVERT_FUZZ_SEED);
    for (let seed = from; seed < from + WORLDS; seed++) {
      const churn = new DhtChurn(seed, { isFirstMortal: true });
      expect(churn.run(), `seed ${seed}: ${JSON.stringify(churn.plan)}`).toEqual([]);
    }
  },
  PATIENCE_MS,
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
