import { expect, it } from "vitest";
import { lastOfMost } from "../../src/retx/index.ts";

const of = (all: string, source: string): string | undefined =>
  lastOfMost(all.match(/\w\d/g) ?? [], source, ([own = ""]) => own);

it.each<[string, string, string | undefined]>([
  ["a1 a2 b1 a3 b2", "c", "a3"],
  ["a1 a2 b1 a3 b2", "b", undefined],
  ["a1 a2 a3 a4 b1 b2", "b", "a4"],
  ["a1 b1", "c", undefined],
  ["a1 a2", "a", undefined],
  ["", "a", undefined],
])("of %s, %s is given the place of %s", (all, source, last) => {
  expect(of(all, source)).toBe(last);
});
