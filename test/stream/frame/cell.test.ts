import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { openFrame, sealFrame } from "../../../src/stream/frame/cell.ts";
import { type Frame, NO_ACKNOWLEDGEMENT } from "../../../src/stream/frame/frame.ts";

const random = new SeededRandom(1);
const keys = { frameId: random.bytes(32), key: random.bytes(32) };

function frameOf(payloadBytes: number): Frame {
  const payload = random.bytes(payloadBytes);
  return { type: "data", previous: 3, acknowledgement: NO_ACKNOWLEDGEMENT, flags: 0, payload };
}

describe("a sealed frame", () => {
  it("is its id and a cell that opens, at every size of cell and however full", () => {
    for (let cellBytes = 100; cellBytes < 109; cellBytes++) {
      for (let spare = 0; spare < 9; spare++) {
        const frame = frameOf(cellBytes - 72 - spare);
        const sealed = sealFrame(frame, { keys, cellBytes, random });
        expect(sealed.length).toBe(32 + cellBytes);
        expect(sealed.subarray(0, 32)).toEqual(keys.frameId);
        const opened = openFrame(sealed.subarray(32), keys, cellBytes);
        expect(opened).toEqual({ kind: "frame", frame });
      }
    }
  });

  it("never has the same nonce twice", () => {
    const frame = frameOf(10);
    const cells = [0, 1, 2].map(() => sealFrame(frame, { keys, cellBytes: 100, random }));
    const nonces = new Set(cells.map((cell) => String(cell.subarray(32, 56))));
    expect(nonces.size).toBe(3);
  });

  it("does not open when any part of it is changed, or under another key", () => {
    const cell = sealFrame(frameOf(20), { keys, cellBytes: 100, random }).subarray(32);
    for (let at = 0; at < cell.length; at++) {
      const changed = cell.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(openFrame(changed, keys, 100)).toEqual({ kind: "closed" });
    }
    const other = { ...keys, key: random.bytes(32) };
    expect(openFrame(cell, other, 100)).toEqual({ kind: "closed" });
  });

  it("has exactly the size of the stream's cells", () => {
    const cell = sealFrame(frameOf(20), { keys, cellBytes: 100, random }).subarray(32);
    for (const length of [0, 1, 39, 40, 99]) {
      expect(openFrame(cell.subarray(0, length), keys, 100)).toEqual({ kind: "closed" });
    }
    const whole = sealFrame(frameOf(20), { keys, cellBytes: 101, random }).subarray(32);
    expect(openFrame(whole, keys, 101).kind).toBe("frame");
    expect(openFrame(whole, keys, 100)).toEqual({ kind: "closed" });
  });
});
