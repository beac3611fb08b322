import { describe, expect, it } from "vitest";
import { Takings } from "../../src/stream/takings.ts";

/** Takings of an application whose readable buffer holds `waiting` bytes. */
function takingsOf(
  options: { confirm?: "auto" | "manual"; offset?: number; waiting?: number } = {},
) {
  const buffer = { waiting: options.waiting ?? 0 };
  const taken: number[] = [];
  const takings = new Takings({
    confirm: options.confirm,
    offset: options.offset ?? 0,
    waiting: () => buffer.waiting,
    take: (offset) => {
      taken.push(offset);
    },
  });
  return { takings, taken, buffer };
}

describe("takings in automatic mode", () => {
  it("are what has left the buffer, told one turn later and once", async () => {
    const { takings, taken, buffer } = takingsOf({ offset: 1_000 });
    takings.delivered(100);
    buffer.waiting = 100;
    takings.note();
    buffer.waiting = 40;
    takings.note();
    expect(taken).toEqual([]);
    await Promise.resolve();
    expect(taken).toEqual([1_060]);
    takings.note();
    await Promise.resolve();
    expect(taken).toEqual([1_060]);
  });

  it("never go back", async () => {
    const { takings, taken, buffer } = takingsOf();
    takings.delivered(100);
    takings.note();
    await Promise.resolve();
    buffer.waiting = 50;
    takings.note();
    await Promise.resolve();
    expect(taken).toEqual([100]);
  });

  it("are everything once nobody reads any more, and what is lost is counted", async () => {
    const { takings, taken, buffer } = takingsOf();
    takings.delivered(100);
    buffer.waiting = 30;
    takings.takeAll();
    await Promise.resolve();
    expect([taken, takings.discardedBytes]).toEqual([[100], 30]);
    takings.delivered(50);
    takings.takeAll();
    await Promise.resolve();
    expect([taken, takings.discardedBytes]).toEqual([[100, 150], 80]);
  });
});

describe("takings of what is used in larger parts than it is read", () => {
  /** What the core is told: how far all is taken, how much of that is begun, and what is new. */
  function partsOf(confirm: "auto" | "manual" = "auto") {
    const told: (number | number[])[][] = [];
    const takings = new Takings({
      confirm,
      offset: 0,
      waiting: () => 0,
      take: (offset, { length, bytes }) => told.push([offset, length, [...bytes]]),
    });
    return { takings, told };
  }

  it("count what has begun, and not what waits behind it", () => {
    const { takings, told } = partsOf();
    let unused = 3;
    const parts = takings.holdBack(() => unused);
    takings.delivered(10);
    takings.look();
    parts.begin(Uint8Array.of(1, 2, 3));
    takings.look();
    takings.delivered(2);
    unused = 5;
    parts.begin(Uint8Array.of(4, 5));
    takings.look();
    unused = 0;
    parts.used();
    takings.delivered(1);
    takings.look();
    expect(told).toEqual([
      [7, 0, []],
      [10, 3, [1, 2, 3]],
      [12, 5, [4, 5]],
      [13, 0, []],
    ]);
  });

  it("keep nothing for an application that reads no more, or confirms by itself", () => {
    const { takings, told } = partsOf();
    takings.delivered(10);
    takings.begin(Uint8Array.of(1, 2, 3));
    takings.takeAll();
    takings.delivered(5);
    takings.look();
    expect(told).toEqual([[15, 0, []]]);
    const manual = partsOf("manual");
    manual.takings.delivered(10);
    manual.takings.begin(Uint8Array.of(1, 2, 3));
    manual.takings.confirm(10);
    expect(manual.told).toEqual([[10, 0, []]]);
  });
});

describe("takings in manual mode", () => {
  it("are what was confirmed, and nothing else", async () => {
    const { takings, taken } = takingsOf({ confirm: "manual", offset: 10 });
    takings.delivered(100);
    takings.note();
    takings.takeAll();
    await Promise.resolve();
    expect(taken).toEqual([]);
    for (const offset of [50, 50, 20, 110]) takings.confirm(offset);
    expect(taken).toEqual([50, 110]);
  });

  it("cannot be beyond what was delivered", () => {
    const { takings, taken } = takingsOf({ confirm: "manual", offset: 10 });
    takings.delivered(5);
    for (const offset of [16, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => takings.confirm(offset)).toThrow(RangeError);
    }
    expect(taken).toEqual([]);
  });
});
