import { describe, expect, it } from "vitest";
import { contentOf, encodeFinalLength, finalLengthOf } from "../../../src/stream/frame/content.ts";
import { type FrameType, NO_ACKNOWLEDGEMENT, NO_MARK } from "../../../src/stream/frame/frame.ts";

const frame = (type: FrameType, payload: Uint8Array) => {
  return { type, payload, previous: NO_MARK, acknowledgement: NO_ACKNOWLEDGEMENT, flags: 0 };
};

const PAYLOAD = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);

describe("what a frame has for the application", () => {
  it.each([
    ["start", [2, 3, 4, 5, 6, 7, 8, 9]],
    ["data", [1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ["end", [9]],
    ["ack", []],
    ["probe", []],
    ["reset", []],
  ] as const)("is of a %s what belongs to nobody else", (type, content) => {
    expect([...contentOf(frame(type, PAYLOAD))]).toEqual(content);
  });

  it("is a view, wherever the payload lies", () => {
    const memory = Uint8Array.of(0, 0, 0, ...PAYLOAD);
    const content = contentOf(frame("end", memory.subarray(3)));
    expect(content.buffer).toBe(memory.buffer);
    expect(content.byteOffset).toBe(11);
  });
});

describe("the length that an end tells", () => {
  it.each([0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER])("is read as it was written: %d", (bytes) => {
    const memory = Uint8Array.of(0, ...encodeFinalLength(bytes), 0xff);
    expect(finalLengthOf({ payload: memory.subarray(1) })).toBe(bytes);
  });

  it("has its high bytes first", () => {
    expect([...encodeFinalLength(0x0102)]).toEqual([0, 0, 0, 0, 0, 0, 1, 2]);
  });
});
