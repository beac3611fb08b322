import { expect, test } from "vitest";
import { mapLife } from "./map-lives.ts";

const SEEDS = 50;

test("askers that come, go and change their minds are told the truth, once", async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    expect({ seed, faults: await mapLife(seed) }).toEqual({ seed, faults: [] });
  }
});
