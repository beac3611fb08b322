import { expect, it } from "vitest";
import { DATA_CONTEXT } from "../../../src/stream/frame/frame-keys.ts";
import { Lookout } from "../../../src/stream/multicast/lookout.ts";
import { exchangeFixture } from "../exchange-fixture.ts";

const GAP_LIMIT_MS = 10_000;

function lookoutOf(): Lookout {
  const { exchange } = exchangeFixture();
  const given = { exchange, cellBytes: 100, context: DATA_CONTEXT, paceMeanMs: 0 };
  return new Lookout({ ...given, gapLimitMs: GAP_LIMIT_MS, getWaitMs: 1_000 });
}

it("what is missing has its time anew when it could not be had before", () => {
  const lookout = lookoutOf();
  lookout.start(0);
  expect(lookout.missingSince(0)).toBe(Number.POSITIVE_INFINITY);
  lookout.saw(5, 100);
  expect(lookout.missingSince(0)).toBe(100);
  // There was no room for it.
  lookout.resume(2_000);
  expect(lookout.missingSince(0)).toBe(2_000);
  lookout.answered(4_000);
  expect(lookout.missingSince(0)).toBe(2_000);
  // The Map was out of reach.
  lookout.answered(4_000 + GAP_LIMIT_MS);
  expect(lookout.missingSince(0)).toBe(4_000 + GAP_LIMIT_MS);
  expect(lookout.missingSince(5)).toBe(Number.POSITIVE_INFINITY);
});
