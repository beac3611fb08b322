import { type PairOptions, pair } from "culvert/testing";
import { describe, expect, it } from "vitest";

describe("pair", () => {
  it.each([
    ["seed", "abc"],
    ["seed", Number.NaN],
    ["seed", 0.5],
    ["loss", "much"],
    ["rtt", -1],
  ])(
    "refuses %s %j, which would be weather of another kind than was meant",
    async (name, value) => {
      const options = { [name]: value } as PairOptions;
      await expect(pair(options)).rejects.toThrow(RangeError);
    },
  );
});
