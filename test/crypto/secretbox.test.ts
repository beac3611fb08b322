import { describe, expect, it } from "vitest";
import { concatBytes, SeededRandom } from "../../src/base/index.ts";
import { CELL_OVERHEAD_BYTES, crypto, openCell, sealCell } from "../../src/crypto/index.ts";

const random = new SeededRandom(1);
const key = random.bytes(32);
const nonce = random.bytes(24);
const frame = random.bytes(100);

describe("cells", () => {
  it("are the nonce and the secretbox, and open again", () => {
    const cell = sealCell(key, nonce, frame);
    expect(cell).toHaveLength(frame.length + CELL_OVERHEAD_BYTES);
    expect(cell.slice(0, 24)).toEqual(nonce);
    expect(cell.slice(24)).toEqual(crypto().secretboxSeal(key, nonce, frame));
    expect(openCell(key, cell)).toEqual(frame);
  });

  it("are written where the caller wants them", () => {
    const room = new Uint8Array(32 + frame.length + CELL_OVERHEAD_BYTES);
    sealCell(key, nonce, frame, room.subarray(32));
    expect(room.slice(32)).toEqual(sealCell(key, nonce, frame));
    expect(room.slice(0, 32)).toEqual(new Uint8Array(32));
  });

  it("may be sealed where the frame lies", () => {
    const room = concatBytes(new Uint8Array(CELL_OVERHEAD_BYTES), frame);
    sealCell(key, nonce, room.subarray(CELL_OVERHEAD_BYTES), room);
    expect(room).toEqual(sealCell(key, nonce, frame));
  });

  it("do not open under another key, when changed, or when cut", () => {
    const cell = sealCell(key, nonce, frame);
    expect(openCell(random.bytes(32), cell)).toBeUndefined();
    for (let at = 0; at < cell.length; at++) {
      expect(openCell(key, cell.with(at, (cell[at] as number) ^ 0x40))).toBeUndefined();
      expect(openCell(key, cell.subarray(0, at))).toBeUndefined();
    }
  });

  it("may hold nothing", () => {
    const cell = sealCell(key, nonce, new Uint8Array(0));
    expect(cell).toHaveLength(CELL_OVERHEAD_BYTES);
    expect(openCell(key, cell)).toHaveLength(0);
  });
});
