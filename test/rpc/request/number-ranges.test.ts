import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NumberRanges } from "../../../src/rpc/request/number-ranges.ts";

const NUMBER_MAX = 40;

describe("number ranges", () => {
  it("hold what a set holds, in as few ranges as there are", () => {
    const step = fc.record({ isBelow: fc.boolean(), number: fc.nat(NUMBER_MAX) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ranges = new NumberRanges();
        const model = new Set<number>();
        for (const { isBelow, number } of steps) {
          if (isBelow) {
            ranges.addBelow(number);
            for (let i = 0; i < number; i++) model.add(i);
          } else {
            ranges.add(number);
            model.add(number);
          }
          let runs = 0;
          for (let i = 0; i <= NUMBER_MAX + 1; i++) {
            expect(ranges.has(i)).toBe(model.has(i));
            if (model.has(i) && !model.has(i - 1)) runs += 1;
          }
          expect(ranges.size).toBe(runs);
        }
      }),
    );
  });

  it("cost one range for a million numbers in a row", () => {
    const ranges = new NumberRanges();
    for (let i = 1; i <= 1_000_000; i++) ranges.add(i);
    expect(ranges.size).toBe(1);
  });
});
