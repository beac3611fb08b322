import { describe, expect, it } from "vitest";
import {
  resolveBroadcastOptions,
  resolveSubscriptionOptions,
} from "../../src/stream/multicast/options.ts";
import { resolveOptions } from "../../src/stream/options.ts";

describe("options", () => {
  it.each([
    ["window", 2.5],
    ["window", 0],
    ["creditFrames", Number.NaN],
    ["receiveFramesMax", 1e9],
    ["ttlSeconds", 60.5],
    ["writeBufferBytes", 0.1],
  ])("of a stream are refused by name: %s = %d", (name, value) => {
    expect(() => resolveOptions({ [name]: value })).toThrow(new RegExp(`^${name} must be `));
  });

  it.each([resolveOptions, resolveBroadcastOptions, resolveSubscriptionOptions])(
    "are looked at by %o",
    (resolve) => {
      expect(() => resolve({ window: 2.5 })).toThrow(RangeError);
      expect(resolve({ window: 2 }).window).toBe(2);
    },
  );

  it.each([
    ["retainFrames", 1.5],
    ["repairReadersMax", -1],
    ["refreshSeconds", 0.5],
  ])("of a broadcast are too: %s = %d", (name, value) => {
    expect(() => resolveBroadcastOptions({ [name]: value })).toThrow(RangeError);
  });

  it("may be times with a fraction, and for ever", () => {
    expect(resolveOptions({ paceMeanMs: 0.5 }).paceMeanMs).toBe(0.5);
    const retainSeconds = Number.POSITIVE_INFINITY;
    expect(resolveBroadcastOptions({ retainSeconds }).retainSeconds).toBe(retainSeconds);
  });
});
