import { expect, it } from "vitest";
import { ResponseTimes } from "../../../src/rpc/request/response-times.ts";

it("an answer is late two standard deviations above the mean of its peer and type", () => {
  const times = new ResponseTimes({ unknownMs: 10_000, pairsMax: 8 });
  expect(times.softMs("a.ping")).toBe(10_000);
  times.sample("a.ping", 100);
  expect(times.softMs("a.ping")).toBe(100 + 2 * 50);
  // The mean is 110, the deviation 10.
  for (let i = 0; i < 1_000; i++) times.sample("a.ping", i % 2 === 0 ? 120 : 100);
  expect(times.softMs("a.ping")).toBeGreaterThan(125);
  expect(times.softMs("a.ping")).toBeLessThan(135);
  expect(times.softMs("b.ping")).toBe(10_000);
});
