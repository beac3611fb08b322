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

  describe("uses memory again", () => {
    const cellBytes = 32_768;

    /** Whether frame 3 lies where 2 did, which `then` happened to and which was dropped. */
    function reused(then: (shelf: FrameShelf) => void): boolean {
      const shelf = filled(shelfOf({ durable: false, cellBytes }), 0, 2);
      const buffer = shelf.place(2).buffer;
      then(shelf);
      shelf.drop(2);
      const place = shelf.place(3);
      expect(place.every((byte) => byte === 0)).toBe(true);
      expect([shelf.get(0)?.[9], shelf.get(1)?.[9]]).toEqual([0, 1]);
      return place.buffer === buffer;
    }

    it("of a frame that no put reads any more", () => {
      expect(reused((shelf) => shelf.returned(2))).toBe(true);
    });

    it("but not while one may, the first or a later one", () => {
      expect(reused(() => {})).toBe(false);
      const putAgain = (shelf: FrameShelf): void => {
        shelf.returned(2);
        shelf.get(2);
      };
      expect(reused(putAgain)).toBe(false);
    });

    it.each([
      { ended: [1, 2, 3], isReused: false }, // 0 may still be read
      { ended: [0, 1, 2, 3], isReused: true },
    ])("of small frames when the puts of all of them have ended: $ended", ({ ended, isReused }) => {
      const shelf = filled(shelfOf({ durable: false }), 0, 8);
      const buffer = shelf.byName().get("d0")?.buffer;
      for (const index of ended) shelf.returned(index);
      for (const index of [0, 1, 2, 3]) shelf.drop(index);
      expect(shelf.place(8).buffer === buffer).toBe(isReused);
    });

    it("and keeps none for a stream at rest", () => {
      const shelf = shelfOf({ durable: false, cellBytes });
      const buffer = shelf.place(0).buffer;
      shelf.returned(0);
      shelf.drop(0);
      expect(shelf.place(1).buffer).not.toBe(buffer);
    });
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
