import { expect, it } from "vitest";
import { CallChurn } from "../rpc/call-churn.ts";
import { LIVES_MS, lifeSeeds, tellLife } from "./fuzz.ts";

it(
  "calls end, run once and bring all in order, whatever links, nodes and callers do",
  async () => {
    for (const seed of lifeSeeds(2_000)) {
      const churn = new CallChurn(seed);
      const told = tellLife(seed, churn.plan);
      expect(await churn.run(), told).toEqual([]);
    }
  },
  LIVES_MS,
);

it(
  "and an oracle sees an item that is missing",
  async () => {
    const violations: string[] = [];
    for (let seed = 1; seed <= 5; seed++) {
      violations.push(...(await new CallChurn(seed, { hasGap: true }).run()));
    }
    expect(violations.join()).toMatch("item 3 came where 2 is due");
  },
  LIVES_MS,
);
