import { expect, it } from "vitest";
import { framesToCbor } from "../../../src/stream/saved/saved-frames.ts";

it("a state that nobody could load is not saved", () => {
  const frame = new Uint8Array(2 ** 16);
  const frames = (count: number): Map<string, Uint8Array> =>
    new Map(Array.from({ length: count }, (_, index) => [`d${index}`, frame]));
  expect(framesToCbor(frames(2 ** 14 - 32))).toHaveLength(2 ** 14 - 32);
  expect(() => framesToCbor(frames(2 ** 14))).toThrow(
    expect.objectContaining({
      code: "CULVERT_TOO_LARGE",
      detail: { limit: 2 ** 30, length: expect.any(Number) },
    }),
  );
});
