import { describe, expect, it } from "vitest";
import { FRAME_ID_BYTES } from "../../src/stream/cell.ts";
import { FrameShelf } from "../../src/stream/frame-shelf.ts";
import { Ledger } from "../../src/stream/ledger.ts";

const CELL_BYTES = 100;

function shelfOf(options: { durable: boolean; cellBytes?: number }): FrameShelf {
  const { durable, cellBytes = CELL_BYTES } = options;
  return new FrameShelf(new Ledger([], durable, () => new Uint8Array(0)), durable, cellBytes);
}

/** Frames from `first` on, each full of its own index. */
function filled(shelf: FrameShelf, first: number, count: number): FrameShelf {
  for (let index = first; index < first + count; index++) shelf.place(index).fill(index);
  return shelf;
}

describe("a shelf of frames", () => {
  it("keeps each of them apart, until it is dropped", () => {
    const shelf = filled(shelfOf({ durable: false }), 5, 11);
    expect(shelf.size).toBe(11);
    for (let index = 5; index < 16; index++) {
      const expected = new Uint8Array(FRAME_ID_BYTES + CELL_BYTES).fill(index);
      expect(shelf.get(index)).toEqual(expected);
    }
    for (const index of [6, 5, 5, 15]) shelf.drop(index);
    expect([5, 6, 7, 15, 16].map((index) => shelf.get(index)?.[0])).toEqual([
      undefined,
      undefined,
      7,
      undefined,
      undefined,
    ]);
    expect([...shelf.byName().keys()]).toEqual([
      "d7",
      "d8",
      "d9",
      "d10",
      "d11",
      "d12",
      "d13",
      "d14",
    ]);
    expect(shelf.size).toBe(8);
  });

  it("gives places of zeros, also beside frames that have left", () => {
    const shelf = filled(shelfOf({ durable: true }), 0, 2);
    shelf.stored(0);
    shelf.stored(1);
    expect(shelf.place(2).every((byte) => byte === 0)).toBe(true);
    expect([shelf.get(0), shelf.get(1), shelf.size]).toEqual([undefined, undefined, 1]);
    expect(() => shelf.place(2)).toThrow(/once/);
  });

  it("keeps what is stored unless a journal has it", () => {
    for (const durable of [false, true]) {
      const shelf = filled(shelfOf({ durable }), 0, 1);
      shelf.noteEnd(0, 68);
      shelf.stored(0);
      expect([shelf.size, shelf.endOffset(0)]).toEqual([durable ? 0 : 1, 68]);
      shelf.drop(0);
      expect([shelf.size, shelf.endOffset(0)]).toEqual([0, undefined]);
    }
  });

  it("keeps few frames in memory that nobody needs", () => {
    for (const cellBytes of [CELL_BYTES, 1_900, 8_192, 32_768]) {
      const shelf = filled(shelfOf({ durable: false, cellBytes }), 0, 1);
      const slab = shelf.get(0)?.buffer.byteLength ?? 0;
      const sealed = FRAME_ID_BYTES + cellBytes;
      expect(slab).toBeLessThanOrEqual(Math.max(sealed, Math.min(4 * sealed, 16_384)));
    }
  });
});
