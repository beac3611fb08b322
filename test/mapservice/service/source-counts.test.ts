import { expect, test } from "vitest";
import { SourceCounts } from "../../../src/mapservice/service/source-counts.ts";

function countsOf(of: Readonly<Record<string, number>>): SourceCounts {
  const counts = new SourceCounts();
  for (const [source, count] of Object.entries(of)) {
    for (let i = 0; i < count; i++) counts.add(source);
  }
  return counts;
}

test("whoever has most makes room for who has less than an equal part, and nobody else", () => {
  const counts = countsOf({ a: 1, b: 5, c: 4 });
  const debtors = ["new", "a", "b", "c"].map((source) => counts.debtor(source, 12));
  expect(debtors).toEqual(["b", "b", undefined, undefined]);
  expect(countsOf({ a: 2, b: 1 }).debtor("a", 12)).toBeUndefined();
});
