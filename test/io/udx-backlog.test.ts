import type UDX from "udx-native";
import { describe, expect, it } from "vitest";
import { UdxBacklog } from "../../src/io/udx-backlog.ts";

/** What may be unsent over a path that udx takes for so fast and so long. */
function aheadOf(bytesPerSecond: number, rtt: number): number {
  const stream = { bbrBandwidth: bytesPerSecond, rtt } as UDX.UdxStream;
  return new UdxBacklog(stream, () => {}).unsentBytesMax;
}

describe("what may wait in udx", () => {
  it.each([
    ["a path that nothing is known of", 0, 0, 49_152],
    ["a slow one", 125_000, 50, 49_152],
    ["one of 20 Mbit/s", 2.5e6, 50, 50_000],
    ["a fast one nearby", 200e6, 1, 524_288],
    ["a fast one far away", 40e6, 50, 800_000],
    ["the fastest, far away", 500e6, 50, 2_097_152],
  ])("is what leaves in 20 ms, within bounds: %s", (_what, bytesPerSecond, rtt, bytes) => {
    expect(aheadOf(bytesPerSecond, rtt)).toBe(bytes);
  });
});
