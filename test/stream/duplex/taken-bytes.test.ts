import { describe, expect, it } from "vitest";
import { TakenBytes } from "../../../src/stream/duplex/taken-bytes.ts";

/** TakenBytes of an application whose readable buffer holds `waiting` bytes. */
function bytesOf(options: { confirm?: "auto" | "manual"; offset?: number; waiting?: number } = {}) {
  const buffer = { waiting: options.waiting ?? 0 };
  const taken: number[] = [];
  const bytes = new TakenBytes({
    confirm: options.confirm,
    offset: options.offset ?? 0,
    waiting: () => buffer.waiting,
    take: (offset) => {
      taken.push(offset);
    },
  });
  return { bytes, taken, buffer };
}

describe("bytes in automatic mode", () => {
  it("are what has left the buffer, told one turn later and once", async () => {
    const { bytes, taken, buffer } = bytesOf({ offset: 1_000 });
    bytes.delivered(100);
    buffer.waiting = 100;
    bytes.note();
    buffer.waiting = 40;
    bytes.note();
    expect(taken).toEqual([]);
    await Promise.resolve();
    expect(taken).toEqual([1_060]);
    bytes.note();
    await Promise.resolve();
    expect(taken).toEqual([1_060]);
  });

  it("never go back", async () => {
    const { bytes, taken, buffer } = bytesOf();
    bytes.delivered(100);
    bytes.note();
    await Promise.resolve();
    buffer.waiting = 50;
    bytes.note();
    await Promise.resolve();
    expect(taken).toEqual([100]);
  });

  it("are everything once nobody reads any more, and what is lost is counted", async () => {
    const { bytes, taken, buffer } = bytesOf();
    bytes.delivered(100);
    buffer.waiting = 30;
    bytes.takeAll();
    await Promise.resolve();
    expect([taken, bytes.discardedBytes]).toEqual([[100], 30]);
    bytes.delivered(50);
    bytes.takeAll();
    await Promise.resolve();
    expect([taken, bytes.discardedBytes]).toEqual([[100, 150], 80]);
  });
});

describe("bytes of what is used in larger parts than it is read", () => {
  /** What the core is told: how far all is taken, how much of that is begun, and what is new. */
  function partsOf(confirm: "auto" | "manual" = "auto") {
    const told: (number | number[])[][] = [];
    const bytes = new TakenBytes({
      confirm,
      offset: 0,
      waiting: () => 0,
      take: (offset, { length, bytes }) => told.push([offset, length, [...bytes]]),
    });
    return { bytes, told };
  }

  it("count what has begun, and not what waits behind it", () => {
    const { bytes, told } = partsOf();
    let unused = 3;
    const parts = bytes.holdBack(() => unused);
    bytes.delivered(10);
    bytes.look();
    parts.begin(Uint8Array.of(1, 2, 3));
    bytes.look();
    bytes.delivered(2);
    unused = 5;
    parts.begin(Uint8Array.of(4, 5));
    bytes.look();
    unused = 0;
    parts.used();
    bytes.delivered(1);
    bytes.look();
    expect(told).toEqual([
      [7, 0, []],
      [10, 3, [1, 2, 3]],
      [12, 5, [4, 5]],
      [13, 0, []],
    ]);
  });

  it("keep nothing for an application that reads no more, or confirms by itself", () => {
    const { bytes, told } = partsOf();
    bytes.delivered(10);
    bytes.begin(Uint8Array.of(1, 2, 3));
    bytes.takeAll();
    bytes.delivered(5);
    bytes.look();
    expect(told).toEqual([[15, 0, []]]);
    const manual = partsOf("manual");
    manual.bytes.delivered(10);
    manual.bytes.begin(Uint8Array.of(1, 2, 3));
    manual.bytes.confirm(10);
    expect(manual.told).toEqual([[10, 0, []]]);
  });
});

describe("bytes in manual mode", () => {
  it("are what was confirmed, and nothing else", async () => {
    const { bytes, taken } = bytesOf({ confirm: "manual", offset: 10 });
    bytes.delivered(100);
    bytes.note();
    bytes.takeAll();
    await Promise.resolve();
    expect(taken).toEqual([]);
    for (const offset of [50, 50, 20, 110]) bytes.confirm(offset);
    expect(taken).toEqual([50, 110]);
  });

  it("cannot be beyond what was delivered", () => {
    const { bytes, taken } = bytesOf({ confirm: "manual", offset: 10 });
    bytes.delivered(5);
    for (const offset of [16, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => bytes.confirm(offset)).toThrow(RangeError);
    }
    expect(taken).toEqual([]);
  });
});
