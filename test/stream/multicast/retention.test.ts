import { expect, it } from "vitest";
import { Retention } from "../../../src/stream/multicast/retention.ts";

it("frames are kept for their time, and given up with those of their generation", () => {
  const retention = new Retention(32);
  // A generation is a second long.
  for (const [index, at] of [0, 999, 1_000, 1_500].entries()) retention.sealed(index, at);
  expect(retention.generations).toEqual([
    { from: 0, bornUnixMs: 0 },
    { from: 2, bornUnixMs: 1_000 },
  ]);
  expect([0, 1, 2, 9].map((index) => retention.bornAt(index))).toEqual([0, 0, 1_000, 1_000]);
  expect([retention.endsAt(1), retention.deadline()]).toEqual([33_000, 33_000]);
  expect([retention.firstKept(32_999), retention.firstKept(33_000)]).toEqual([0, 2]);
  expect([retention.bornAt(1), retention.endsAt(1)]).toEqual([
    Number.NEGATIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ]);
  expect([retention.firstKept(1e9), retention.deadline()]).toEqual([
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
  ]);
});
