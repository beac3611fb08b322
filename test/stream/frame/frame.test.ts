import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../../src/base/index.ts";
import {
  arrivedEnd,
  CELL_BYTES_MAX,
  CELL_BYTES_MIN,
  decodeFrame,
  emptySelective,
  encodeFrame,
  FRAME_HEADER_BYTES,
  type Frame,
  type FrameType,
  INDEX_MAX,
  isFull,
  isSelected,
  MARK_MAX,
  NO_ACKNOWLEDGEMENT,
  payloadBytesMax,
  SELECTIVE_BITS,
  select,
} from "../../../src/stream/frame/frame.ts";

interface FrameVector {
  readonly name: string;
  readonly type: FrameType;
  readonly previous: number;
  readonly next: number;
  readonly credit: number;
  readonly selected: readonly number[];
  readonly flags: number;
  readonly payload: string;
  readonly bytes: string;
}

const vectors: { frames: readonly FrameVector[] } = JSON.parse(
  readFileSync(new URL("../../vectors/frame.json", import.meta.url), "utf8"),
);

const TYPES = ["start", "data", "end", "ack", "probe", "reset"] as const;

function bitmap(bits: readonly number[]): Uint8Array {
  const selective = emptySelective();
  for (const j of bits) select(selective, j);
  return selective;
}

const anyFrame: fc.Arbitrary<Frame> = fc.record({
  type: fc.constantFrom(...TYPES),
  previous: fc.nat({ max: MARK_MAX }),
  acknowledgement: fc.record({
    next: fc.nat({ max: INDEX_MAX }),
    credit: fc.nat(0xffff),
    selective: fc.uint8Array({ minLength: 14, maxLength: 14 }),
  }),
  flags: fc.nat(15),
  payload: fc.uint8Array({ maxLength: 80 }),
});

/** A plain frame in 48 bytes, with changes made to the bytes. */
function decodeChanged(change: (bytes: Uint8Array) => void): ReturnType<typeof decodeFrame> {
  const frame = {
    type: "data",
    previous: 5,
    acknowledgement: NO_ACKNOWLEDGEMENT,
    flags: 0,
  } as const;
  const bytes = encodeFrame({ ...frame, payload: Uint8Array.of(1, 2, 3) }, new Uint8Array(48));
  change(bytes);
  return decodeFrame(bytes);
}

describe("the layout of a frame", () => {
  it.each(vectors.frames)("is fixed: $name", (vector) => {
    const { type, previous, next, credit, flags } = vector;
    const acknowledgement = { next, credit, selective: bitmap(vector.selected) };
    const payload = fromHex(vector.payload);
    const frame: Frame = { type, previous, acknowledgement, flags, payload };
    const bytes = fromHex(vector.bytes);
    expect(toHex(encodeFrame(frame, new Uint8Array(bytes.length)))).toBe(vector.bytes);
    // Frames are sealed where others were.
    expect(toHex(encodeFrame(frame, new Uint8Array(bytes.length).fill(0xa5)))).toBe(vector.bytes);
    expect(decodeFrame(bytes)).toEqual({ kind: "frame", frame });
  });

  it("is read as it was written, at any alignment", () => {
    const spare = fc.nat(9);
    fc.assert(
      fc.property(anyFrame, spare, spare, (frame, padding, shift) => {
        const length = FRAME_HEADER_BYTES + frame.payload.length + padding;
        const bytes = new Uint8Array(shift + length).subarray(shift);
        expect(decodeFrame(encodeFrame(frame, bytes))).toEqual({ kind: "frame", frame });
      }),
      { seed: 1 },
    );
  });

  it("leaves room for 72 bytes less than a cell has, and for a longest payload", () => {
    expect(payloadBytesMax(1_900)).toBe(1_828);
    expect(payloadBytesMax(CELL_BYTES_MIN)).toBe(16);
    expect(payloadBytesMax(CELL_BYTES_MAX)).toBe(0xffff);
  });

  it("holds no larger payload or index", () => {
    const frame: Frame = {
      type: "data",
      previous: 0,
      acknowledgement: NO_ACKNOWLEDGEMENT,
      flags: 0,
      payload: new Uint8Array(17),
    };
    const bytes = new Uint8Array(48);
    const beyond = { ...NO_ACKNOWLEDGEMENT, next: INDEX_MAX + 1 };
    const payload = new Uint8Array(1);
    expect(() => encodeFrame(frame, bytes)).toThrow(/payload/);
    expect(() => encodeFrame({ ...frame, payload, previous: MARK_MAX + 1 }, bytes)).toThrow(/mark/);
    expect(() => encodeFrame({ ...frame, payload, acknowledgement: beyond }, bytes)).toThrow(
      /index/,
    );
  });
});

describe("bytes that are no frame", () => {
  it.each([
    ["version", (bytes: Uint8Array) => bytes.set([0x31], 0)],
    ["version", (bytes: Uint8Array) => bytes.set([0x11], 0)],
    ["type", (bytes: Uint8Array) => bytes.set([0x26], 0)],
    ["length", (bytes: Uint8Array) => bytes.set([17], 16)],
    ["length", (bytes: Uint8Array) => bytes.set([1], 15)],
    ["padding", (bytes: Uint8Array) => bytes.set([2], 16)],
    ["padding", (bytes: Uint8Array) => bytes.set([1], 47)],
    ["padding", (bytes: Uint8Array) => bytes.set([1], 35)],
    ["padding", (bytes: Uint8Array) => bytes.set([128], 40)],
    ["flags", (bytes: Uint8Array) => bytes.set([16], 17)],
    ["flags", (bytes: Uint8Array) => bytes.set([128], 17)],
  ])("are refused by their %s", (field, change) => {
    expect(decodeChanged(change)).toEqual({ kind: "malformed", field });
  });

  it("are refused by their padding wherever it is broken", () => {
    for (let at = 35; at < 48; at++) {
      const decoded = decodeChanged((bytes) => bytes.set([64], at));
      expect(decoded).toEqual({ kind: "malformed", field: "padding" });
    }
  });

  it("are refused by their size below a header, and may be nothing more than one", () => {
    const header = encodeFrame(
      {
        type: "ack",
        previous: 1,
        acknowledgement: NO_ACKNOWLEDGEMENT,
        flags: 0,
        payload: bitmap([]),
      },
      new Uint8Array(FRAME_HEADER_BYTES + 14),
    );
    header[16] = 0;
    expect(decodeFrame(header.subarray(0, FRAME_HEADER_BYTES)).kind).toBe("frame");
    for (let length = 0; length < FRAME_HEADER_BYTES; length++) {
      const decoded = decodeFrame(header.subarray(0, length));
      expect(decoded).toEqual({ kind: "malformed", field: "size" });
    }
  });

  it("never make the parser throw", () => {
    const anyBytes = fc.uint8Array({ maxLength: 64 });
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        bytes.set(bytes.length > 0 ? [0x20 | ((bytes[0] ?? 0) & 7)] : []);
        const decoded = decodeFrame(bytes);
        if (decoded.kind === "frame") expect(decoded.frame.payload.length).toBeLessThan(33);
      }),
      { seed: 1 },
    );
  });
});

describe("a selective acknowledgement", () => {
  it("has a bit for each of 112 frames, low bits first, and none beyond", () => {
    expect(toHex(bitmap([0, 9, 111]))).toBe("0102000000000000000000000080");
    expect(toHex(bitmap([-1, SELECTIVE_BITS, 1_000]))).toBe("00".repeat(14));
    const ones = bitmap(Array.from({ length: SELECTIVE_BITS }, (_, j) => j));
    expect(toHex(ones)).toBe("ff".repeat(14));
    expect([isSelected(ones, 111), isSelected(ones, 112)]).toEqual([true, false]);
    const isFullWith = (selective: Uint8Array) => isFull({ next: 0, credit: 0, selective });
    expect([ones, ones.with(13, 0x7f), bitmap([])].map(isFullWith)).toEqual([true, false, false]);
  });

  it("tells what was selected, and where the arrived frames end", () => {
    const bits = fc.uniqueArray(fc.nat(SELECTIVE_BITS - 1));
    fc.assert(
      fc.property(bits, fc.nat(1_000), (chosen, next) => {
        const selective = bitmap(chosen);
        for (let j = 0; j < SELECTIVE_BITS; j++) {
          expect(isSelected(selective, j)).toBe(chosen.includes(j));
        }
        const end = chosen.length === 0 ? next : next + 1 + Math.max(...chosen) + 1;
        expect(arrivedEnd({ next, credit: 0, selective })).toBe(end);
      }),
      { seed: 1, numRuns: 50 },
    );
  });
});
