import { expect, test } from "vitest";
import { fillOf, secondsLeft } from "../../../src/mapservice/store/record-store.ts";

test("a store is as full as what it has least room for, and full when its disk is", () => {
  const store = { entries: 1, entriesMax: 4, bytes: 30, bytesMax: 40, isDiskFull: false };
  expect(fillOf(store)).toBe(3 / 4);
  expect(fillOf({ ...store, bytes: 8 })).toBe(1 / 4);
  // A limit may have been lowered.
  expect(fillOf({ ...store, entriesMax: 1, entries: 2 })).toBe(1);
  expect(fillOf({ ...store, isDiskFull: true })).toBe(1);
});

test("no more seconds are told than there are", () => {
  expect([secondsLeft(2_999, 1_000), secondsLeft(1_000, 2_000)]).toEqual([1, 0]);
});
