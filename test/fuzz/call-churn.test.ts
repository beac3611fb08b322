import { expect, it } from "vitest";
import { CallChurn } from "../rpc/call-churn.ts";
import { CASES } from "./fuzz.ts";

const WORLDS = Math.ceil(CASES / 2_000);
const { CULVERT_FUZZ_SEED = "1" } = process.env;
const PATIENCE_MS = 3_600_000;

it(
  "calls end, run once and bring all in order, whatever links, nodes and callers do",
  async () => {
    for (let seed = Number(CULVERT_FUZZ_SEED), left = WORLDS; left > 0; seed++, left--) {
      const churn = new CallChurn(seed);
      expect(await churn.run(), `seed ${seed}: ${JSON.stringify(churn.plan)}`).toEqual([]);
    }
  },
  PATIENCE_MS,
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
  PATIENCE_MS,
);
