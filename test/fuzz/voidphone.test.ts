import { it } from "vitest";
import { SeededRandom, toHex } from "../../src/base/index.ts";
import { mutate } from "./map-fuzz.ts";
import { voidphoneTargets } from "./voidphone-fuzz.ts";

const { CULVERT_FUZZ_CASES = "5000" } = process.env;
const CASES = Number(CULVERT_FUZZ_CASES);

it.each(voidphoneTargets)("VoidPhone takes or refuses any bytes: $name", ({ seeds, run }) => {
  const dice = new SeededRandom(5);
  for (let i = 0; i < CASES; i++) {
    const bytes = mutate(dice, seeds);
    try {
      run(bytes);
    } catch (cause) {
      throw new Error(`case ${i}: ${toHex(bytes)}`, { cause });
    }
  }
});
