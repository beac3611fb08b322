import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FrameContent, Framer, type FramerInit } from "../../../src/stream/sender/framer.ts";

const MODE = 1;

/** What framers no longer need of a journal. */
let removed: string[] = [];

/** One that begins, or goes on with what another one would leave when it is halted. */
function framerOf(init: Omit<FramerInit, "commits" | "waiting">, before?: Framer): Framer {
  const commits = { remove: (name: string) => void removed.push(name) };
  const waiting = before?.waiting().get("waiting");
  return new Framer({ ...init, commits, waiting }, before?.save());
}

/** Every frame that there is, from `index` on. */
function takeAll(framer: Framer, index: number, mayBePartial = true): FrameContent[] {
  const frames: FrameContent[] = [];
  while (framer.hasFrame(index + frames.length, mayBePartial)) {
    frames.push(framer.take(index + frames.length));
  }
  return frames;
}

function bytesOf(frames: readonly FrameContent[]): number[] {
  const skip = { start: 1, end: 8 } as const;
  return frames.flatMap(({ type, payload }) => [
    ...payload.subarray(type === "start" || type === "end" ? skip[type] : 0),
  ]);
}

describe("Framer", () => {
  it("gives the same bytes for any split of the writes and any time of framing", () => {
    const pieces = fc.array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.boolean()));
    fc.assert(
      fc.property(pieces, fc.integer({ min: 16, max: 40 }), (writes, payloadMax) => {
        const framer = framerOf({ payloadMax: payloadMax, mode: MODE, writeBufferBytes: 0 });
        const frames: FrameContent[] = [];
        for (const [bytes, isFramed] of writes) {
          framer.write(bytes);
          if (isFramed) frames.push(...takeAll(framer, frames.length));
        }
        framer.end();
        frames.push(...takeAll(framer, frames.length));
        const all = writes.flatMap(([bytes]) => [...bytes]);
        expect(bytesOf(frames)).toEqual(all);
        expect(Math.max(...frames.map(({ payload }) => payload.length))).toBeLessThanOrEqual(
          payloadMax,
        );
        const types = frames.map(({ type }) => type);
        const middle = types.slice(1, -1);
        expect([types[0], types.at(-1), new Set(middle).size < 2]).toEqual(["start", "end", true]);
        expect(middle.every((type) => type === "data")).toBe(true);
        const end = frames.at(-1)?.payload ?? new Uint8Array(8);
        expect(new DataView(end.buffer, end.byteOffset).getBigUint64(0)).toBe(BigInt(all.length));
        expect([framer.framedBytes, framer.isEmpty]).toEqual([all.length, true]);
      }),
      { seed: 1 },
    );
  });

  it("makes full frames whatever the writes were, when partial ones may not be", () => {
    const writes = fc.array(fc.uint8Array({ maxLength: 50 }));
    fc.assert(
      fc.property(writes, (chunks) => {
        const framer = framerOf({ payloadMax: 20, mode: MODE, writeBufferBytes: 0 });
        const frames: FrameContent[] = [];
        for (const chunk of chunks) {
          framer.write(chunk);
          frames.push(...takeAll(framer, frames.length, false));
        }
        expect(frames.every(({ payload }) => payload.length === 20)).toBe(true);
        expect(framer.writtenBytes - framer.framedBytes).toBeLessThan(20);
      }),
      { seed: 1 },
    );
  });

  it("begins with the mode, even for a stream without bytes", () => {
    const framer = framerOf({ payloadMax: 16, mode: 2, writeBufferBytes: 0 });
    expect([framer.hasFrame(0, true), framer.isEmpty]).toEqual([false, true]);
    framer.end();
    expect([framer.hasFrame(0, false), framer.isEmpty]).toEqual([true, false]);
    expect(takeAll(framer, 0, false)).toEqual([
      { type: "start", payload: Uint8Array.of(2) },
      { type: "end", payload: new Uint8Array(8) },
    ]);
    expect([framer.isEmpty, framer.isEndFramed]).toEqual([true, true]);
  });

  it("puts the last bytes behind the final length if they fit, and before it if not", () => {
    for (const [rest, types] of [
      [8, ["start", "end"]],
      [9, ["start", "data", "end"]],
    ] as const) {
      const framer = framerOf({ payloadMax: 16, mode: MODE, writeBufferBytes: 0 });
      framer.write(new Uint8Array(15 + rest).fill(7));
      framer.end();
      const frames = takeAll(framer, 0);
      expect(frames.map(({ type }) => type)).toEqual(types);
      expect(frames.at(-1)?.payload[7]).toBe(15 + rest);
    }
  });

  it("goes on from its saved state as if nothing had happened", () => {
    const anyBytes = fc.uint8Array({ maxLength: 100 });
    fc.assert(
      fc.property(anyBytes, anyBytes, fc.nat(3), fc.boolean(), (before, after, count, isEnded) => {
        const one = framerOf({ payloadMax: 16, mode: MODE, writeBufferBytes: 0 });
        one.write(before);
        for (let index = 0; index < count && one.hasFrame(index, true); index++) one.take(index);
        if (isEnded) one.end();
        const two = framerOf({ payloadMax: 16, mode: MODE, writeBufferBytes: 0 }, one);
        expect(two.save()).toEqual(one.save());
        for (const framer of [one, two]) {
          if (!isEnded) framer.write(after.slice());
          framer.end();
        }
        expect(takeAll(two, 5)).toEqual(takeAll(one, 5));
      }),
      { seed: 1 },
    );
  });

  it("saves with its frames only what it inherited of what waits for one", () => {
    removed = [];
    const one = framerOf({ payloadMax: 16, mode: MODE, writeBufferBytes: 0 });
    one.write(Uint8Array.from({ length: 40 }, (_, i) => i));
    expect(one.saveFramed().waitingBytes).toBe(0);
    one.end();
    const two = framerOf({ payloadMax: 16, mode: MODE, writeBufferBytes: 0 }, one);
    two.write(new Uint8Array(9));
    expect([two.saveFramed(), two.save().waitingBytes]).toEqual([one.save(), 49]);
    two.take(0);
    expect(two.saveFramed()).toMatchObject({ framedBytes: 15, endAsked: true, waitingBytes: 25 });
    two.take(1);
    expect([two.saveFramed().waitingBytes, removed]).toEqual([9, []]);
    two.take(2);
    expect([two.saveFramed().waitingBytes, removed]).toEqual([0, ["waiting"]]);
  });

  it("inherits nothing any more of what it has dropped", () => {
    removed = [];
    const one = framerOf({ payloadMax: 16, mode: MODE, writeBufferBytes: 0 });
    one.write(new Uint8Array(40));
    one.end();
    const two = framerOf({ payloadMax: 16, mode: MODE, writeBufferBytes: 0 }, one);
    two.clear();
    expect(two.saveFramed()).toMatchObject({ endAsked: false, waitingBytes: 0 });
    two.clear();
    expect(removed).toEqual(["waiting"]);
  });

  it("drops on clear what is not framed, and counts what is", () => {
    const framer = framerOf({ payloadMax: 16, mode: MODE, writeBufferBytes: 0 });
    framer.write(new Uint8Array(20));
    framer.take(0);
    framer.clear();
    expect([framer.framedBytes, framer.writtenBytes, framer.isEmpty]).toEqual([15, 20, true]);
    expect(framer.waiting().size).toBe(0);
  });

  it("is full by frames and by bytes, and drains at half of that", () => {
    for (const [payloadMax, writeBufferBytes, full] of [
      [100, 0, 1_600],
      [32_000, 0, 262_144],
      [100, 150, 150],
    ] as const) {
      const framer = framerOf({ payloadMax, mode: MODE, writeBufferBytes });
      framer.write(new Uint8Array(full - 1));
      expect([framer.isFull, framer.drain()]).toEqual([false, false]);
      framer.write(new Uint8Array(1));
      expect([framer.isFull, framer.drain()]).toEqual([true, false]);
      let index = 0;
      while (2 * (framer.writtenBytes - framer.framedBytes) > full) {
        expect(framer.drain()).toBe(false);
        framer.take(index++);
      }
      expect([framer.isFull, framer.drain(), framer.drain()]).toEqual([false, true, false]);
    }
  });

  it("lets go of what it was lent", () => {
    const framer = framerOf({ payloadMax: 8, mode: MODE, writeBufferBytes: 0 });
    const lent = Uint8Array.from({ length: 12 }, (_, i) => i);
    framer.write(lent);
    expect([...framer.take(0).payload]).toEqual([MODE, 0, 1, 2, 3, 4, 5, 6]);
    framer.own();
    lent.fill(0xff);
    expect([...framer.take(1).payload]).toEqual([7, 8, 9, 10, 11]);
  });
});
