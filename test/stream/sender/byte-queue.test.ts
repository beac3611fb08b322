import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteQueue } from "../../../src/stream/sender/byte-queue.ts";

const step = fc.oneof(
  fc.record({ push: fc.uint8Array({ maxLength: 12 }) }),
  fc.record({ take: fc.nat(20) }),
  fc.record({ view: fc.nat(20) }),
  fc.constant({ copy: true }),
  fc.constant({ own: true }),
);

describe("ByteQueue", () => {
  it("gives back what it was given, in order, in any pieces", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new ByteQueue();
        let model: number[] = [];
        let lent: Uint8Array[] = [];
        for (const action of steps) {
          if ("push" in action) {
            model.push(...action.push);
            lent.push(action.push.slice());
            queue.push(lent.at(-1) as Uint8Array);
          } else if ("own" in action) {
            queue.own();
            for (const chunk of lent) chunk.fill(0xff); // it is the caller's again
            lent = [];
          } else if ("take" in action) {
            const target = new Uint8Array(action.take);
            const count = queue.takeInto(target);
            expect([...target.subarray(0, count)]).toEqual(model.slice(0, action.take));
            expect([...target.subarray(count)].every((byte) => byte === 0)).toBe(true);
            model = model.slice(count);
          } else if ("view" in action) {
            expect([...queue.take(action.view)]).toEqual(model.slice(0, action.view));
            model = model.slice(action.view);
          } else expect([...queue.copy()]).toEqual(model);
          expect(queue.length).toBe(model.length);
        }
      }),
      { seed: 1 },
    );
  });

  it("compacts what was taken, and goes on", () => {
    const queue = new ByteQueue();
    for (let i = 0; i < 300; i++) queue.push(Uint8Array.of(i, i));
    const target = new Uint8Array(501);
    expect(queue.takeInto(target)).toBe(501);
    expect(target[500]).toBe(250);
    expect([...queue.copy().subarray(0, 4)]).toEqual([250, 251, 251, 252].map((i) => i & 255));
    expect(queue.copy().length).toBe(99);
  });

  it("copies into memory whose bytes were taken, as long as others wait", () => {
    const queue = new ByteQueue();
    const buffers: ArrayBufferLike[] = [];
    for (let i = 0; i < 4; i++) {
      queue.push(new Uint8Array(8).fill(i));
      queue.own();
      queue.push(Uint8Array.of(0xee));
      const view = queue.take(8);
      expect([...view]).toEqual(new Array(8).fill(i));
      buffers.push(view.buffer);
      queue.own();
      expect([...queue.take(1)]).toEqual([0xee]);
    }
    // The one byte took the memory of the eight, and then nothing waited any more.
    expect(new Set(buffers).size).toBe(4);

    queue.push(Uint8Array.of(1, 1, 1));
    queue.push(Uint8Array.of(2, 2));
    queue.own();
    const first = queue.take(3).buffer;
    queue.push(Uint8Array.of(3, 3, 3));
    queue.own();
    expect([...queue.take(2), ...queue.copy()]).toEqual([2, 2, 3, 3, 3]);
    expect(queue.take(3).buffer).toBe(first);
  });

  it("writes into nothing that it borrowed", () => {
    const queue = new ByteQueue();
    const borrowed = Uint8Array.of(1, 1, 1);
    queue.push(borrowed);
    queue.push(Uint8Array.of(2, 2, 2));
    expect([...queue.take(3)]).toEqual([1, 1, 1]);
    queue.own();
    queue.push(Uint8Array.of(3, 3));
    queue.own();
    expect([...queue.copy()]).toEqual([2, 2, 2, 3, 3]);
    expect([...borrowed]).toEqual([1, 1, 1]);
  });

  it("is empty after clear, and can be used again", () => {
    const queue = new ByteQueue();
    queue.push(Uint8Array.of(1, 2, 3));
    queue.takeInto(new Uint8Array(1));
    queue.clear();
    expect([queue.length, queue.copy().length]).toEqual([0, 0]);
    queue.push(Uint8Array.of(9));
    expect([...queue.copy()]).toEqual([9]);
  });
});
