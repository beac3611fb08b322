import { describe, expect, it } from "vitest";
import { CommitQueue } from "../../../src/stream/exchange/commit-queue.ts";
import { FRAME_ID_BYTES } from "../../../src/stream/frame/cell.ts";
import { UnacknowledgedFrames } from "../../../src/stream/sender/unacknowledged-frames.ts";

const CELL_BYTES = 100;

function framesOf(options: { durable: boolean; cellBytes?: number }): UnacknowledgedFrames {
  const { durable, cellBytes = CELL_BYTES } = options;
  return new UnacknowledgedFrames(new CommitQueue([], durable, () => new Uint8Array(0)), {
    durable,
    cellBytes,
  });
}

/** Frames from `first` on, each full of its own index. */
function filled(frames: UnacknowledgedFrames, first: number, count: number): UnacknowledgedFrames {
  for (let index = first; index < first + count; index++) frames.place(index).fill(index);
  return frames;
}

describe("a frames of frames", () => {
  it("keeps each of them apart, until it is dropped", () => {
    const frames = filled(framesOf({ durable: false }), 5, 11);
    expect(frames.size).toBe(11);
    for (let index = 5; index < 16; index++) {
      const expected = new Uint8Array(FRAME_ID_BYTES + CELL_BYTES).fill(index);
      expect(frames.get(index)).toEqual(expected);
    }
    for (const index of [6, 5, 5, 15]) frames.drop(index);
    expect([5, 6, 7, 15, 16].map((index) => frames.get(index)?.[0])).toEqual([
      undefined,
      undefined,
      7,
      undefined,
      undefined,
    ]);
    expect([...frames.byName().keys()]).toEqual([
      "d7",
      "d8",
      "d9",
      "d10",
      "d11",
      "d12",
      "d13",
      "d14",
    ]);
    expect(frames.size).toBe(8);
  });

  it("gives each place once, also beside frames that have left", () => {
    const frames = filled(framesOf({ durable: true }), 0, 2);
    frames.stored(0);
    frames.stored(1);
    frames.place(2);
    expect([frames.get(0), frames.get(1), frames.size]).toEqual([undefined, undefined, 1]);
    expect(() => frames.place(2)).toThrow(/once/);
  });

  it("keeps what is stored unless a journal has it", () => {
    for (const durable of [false, true]) {
      const frames = filled(framesOf({ durable }), 0, 1);
      frames.noteEnd(0, 68);
      frames.stored(0);
      expect([frames.size, frames.endOffset(0)]).toEqual([durable ? 0 : 1, 68]);
      frames.drop(0);
      expect([frames.size, frames.endOffset(0)]).toEqual([0, 0]);
    }
  });

  describe("uses memory again", () => {
    const cellBytes = 32_768;

    /** Whether frame 3 lies where 2 did, which `then` happened to and which was dropped. */
    function reused(then: (frames: UnacknowledgedFrames) => void): boolean {
      const frames = filled(framesOf({ durable: false, cellBytes }), 0, 2);
      const buffer = frames.place(2).buffer;
      then(frames);
      frames.drop(2);
      const place = frames.place(3);
      expect(place.every((byte) => byte === 0)).toBe(true);
      expect([frames.get(0)?.[9], frames.get(1)?.[9]]).toEqual([0, 1]);
      return place.buffer === buffer;
    }

    it("of a frame that no put reads any more", () => {
      expect(reused((frames) => frames.returned(2))).toBe(true);
    });

    it("but not while one may, the first or a later one", () => {
      expect(reused(() => {})).toBe(false);
      const putAgain = (frames: UnacknowledgedFrames): void => {
        frames.returned(2);
        frames.get(2);
      };
      expect(reused(putAgain)).toBe(false);
    });

    it.each([
      { ended: [1, 2, 3], isReused: false }, // 0 may still be read
      { ended: [0, 1, 2, 3], isReused: true },
    ])("of small frames when the puts of all of them have ended: $ended", ({ ended, isReused }) => {
      const frames = filled(framesOf({ durable: false }), 0, 8);
      const buffer = frames.byName().get("d0")?.buffer;
      for (const index of ended) frames.returned(index);
      for (const index of [0, 1, 2, 3]) frames.drop(index);
      expect(frames.place(8).buffer === buffer).toBe(isReused);
    });

    it("and keeps none for a stream at rest", () => {
      const frames = framesOf({ durable: false, cellBytes });
      const buffer = frames.place(0).buffer;
      frames.returned(0);
      frames.drop(0);
      expect(frames.place(1).buffer).not.toBe(buffer);
    });
  });

  it("keeps few frames in memory that nobody needs", () => {
    for (const cellBytes of [CELL_BYTES, 1_900, 8_192, 32_768]) {
      const frames = filled(framesOf({ durable: false, cellBytes }), 0, 1);
      const slab = frames.get(0)?.buffer.byteLength ?? 0;
      const sealed = FRAME_ID_BYTES + cellBytes;
      expect(slab).toBeLessThanOrEqual(Math.max(sealed, Math.min(4 * sealed, 16_384)));
    }
  });
});
