import { expect, test } from "vitest";
import { decodeHead, encodeHead } from "../../../src/mapservice/store/level-record-layout.ts";

const HEAD = { payloadSize: 40, secret: new Uint8Array(16).fill(3), recordsPerValue: 32 };

test("a head is read as it was written, of either version", () => {
  for (const recordsPerValue of [1, 2, 32, 64]) {
    const head = { ...HEAD, recordsPerValue };
    expect(decodeHead(encodeHead(head))).toEqual(head);
  }
});

test("a head whose values have room for none, for one or for too many is refused", () => {
  for (const recordsPerValue of [0, 1, 65]) {
    const head = encodeHead(HEAD);
    head[head.length - 1] = recordsPerValue;
    expect(() => decodeHead(head)).toThrow(expect.objectContaining({ code: "CULVERT_BAD_STATE" }));
  }
});

test("a head of the next version says which one that is", () => {
  const head = encodeHead(HEAD);
  head[0] = 3;
  expect(() => decodeHead(head)).toThrow(
    expect.objectContaining({ code: "CULVERT_BAD_STATE", detail: { version: 3 } }),
  );
});
