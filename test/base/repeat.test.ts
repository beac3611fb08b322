import { expect, it } from "vitest";
import { repeat } from "../../src/base/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";

it("what is repeated runs once each time, and no more when it is stopped from within", async () => {
  const clock = new VirtualClock();
  const at: number[] = [];
  const cancel = repeat(clock, 10, () => {
    at.push(clock.now());
    if (at.length === 3) cancel();
  });
  await clock.runUntil(100);
  expect(at).toEqual([10, 20, 30]);
});
