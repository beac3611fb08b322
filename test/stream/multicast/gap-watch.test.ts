import { expect, it } from "vitest";
import { GapWatch } from "../../../src/stream/multicast/gap-watch.ts";

const NEVER = Number.POSITIVE_INFINITY;

it("a frame is missing since a later one was known first", () => {
  const gaps = new GapWatch();
  expect([gaps.seen, gaps.since(0)]).toEqual([-1, NEVER]);
  gaps.saw(3, 10);
  gaps.saw(9, 20);
  // An earlier one tells nothing new.
  gaps.saw(5, 30);
  expect([gaps.seen, gaps.since(0), gaps.since(3), gaps.since(8)]).toEqual([9, 10, 20, 20]);
  expect([gaps.since(9), gaps.seen]).toEqual([NEVER, -1]);
});
