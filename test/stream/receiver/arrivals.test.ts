import { describe, expect, it } from "vitest";
import { type Frame, NO_ACKNOWLEDGEMENT } from "../../../src/stream/frame/frame.ts";
import { Arrivals, type ArrivalsStart } from "../../../src/stream/receiver/arrivals.ts";

const START: ArrivalsStart = { next: 0, nextOffset: 0, takenOffset: 0, mark: 0 };

function frameBehind(previous: number): Frame {
  const payload = new Uint8Array(10);
  return { type: "data", previous, acknowledgement: NO_ACKNOWLEDGEMENT, flags: 0, payload };
}

/** Delivers and takes what is in order; how many frames that were. */
function takeAll(arrivals: Arrivals): number {
  let count = 0;
  while (!arrivals.isTorn) {
    const frame = arrivals.shift();
    if (frame === undefined) break;
    arrivals.deliver(frame.payload);
    count += 1;
  }
  arrivals.take(arrivals.offset);
  arrivals.advance();
  return count;
}

describe("frames that name the one before them", () => {
  it("are in order when each names the last, however they arrive", () => {
    const arrivals = new Arrivals(START);
    arrivals.add(2, frameBehind(102), 103);
    arrivals.add(0, frameBehind(0), 101);
    expect([takeAll(arrivals), arrivals.isTorn]).toEqual([1, false]);
    arrivals.add(1, frameBehind(101), 102);
    expect([takeAll(arrivals), arrivals.isTorn]).toEqual([2, false]);
    expect(arrivals.save()).toEqual({ next: 3, nextOffset: 30, takenOffset: 30, mark: 103 });
  });

  it("are torn where one names another, and go no further", () => {
    const arrivals = new Arrivals(START);
    arrivals.add(0, frameBehind(0), 101);
    arrivals.add(1, frameBehind(77), 102);
    expect([takeAll(arrivals), arrivals.isTorn, arrivals.next]).toEqual([1, true, 1]);
  });

  it("are torn at the first of all if that names any", () => {
    const arrivals = new Arrivals(START);
    arrivals.add(0, frameBehind(5), 101);
    expect(arrivals.isTorn).toBe(true);
  });

  it("are believed by one who has just joined, and by one that has skipped some", () => {
    const joining = new Arrivals({ ...START, mark: undefined });
    joining.add(0, frameBehind(5), 101);
    expect(takeAll(joining)).toBe(1);
    joining.skipTo(4);
    expect(joining.save().mark).toBe(101);
    joining.add(4, frameBehind(6), 105);
    joining.add(5, frameBehind(7), 106);
    expect([takeAll(joining), joining.isTorn]).toEqual([1, true]);
  });

  it("are remembered by the last one that was taken, not by one that was only delivered", () => {
    const arrivals = new Arrivals(START);
    arrivals.add(0, frameBehind(0), 101);
    arrivals.add(1, frameBehind(101), 102);
    for (let frame = arrivals.shift(); frame; frame = arrivals.shift()) {
      arrivals.deliver(frame.payload);
    }
    arrivals.take(15);
    arrivals.advance();
    const saved = arrivals.save();
    expect(saved).toEqual({ next: 1, nextOffset: 10, takenOffset: 15, mark: 101 });
    const again = new Arrivals(saved);
    again.add(1, frameBehind(101), 102);
    expect(again.isTorn).toBe(false);
  });

  it("count on from what was taken, when the frame it lay in is skipped", () => {
    const arrivals = new Arrivals({ next: 3, nextOffset: 30, takenOffset: 34, mark: 103 });
    arrivals.skipTo(6);
    arrivals.add(6, frameBehind(9), 107);
    const frame = arrivals.shift();
    expect(arrivals.deliver(frame?.payload ?? new Uint8Array(0))).toMatchObject({ offset: 34 });
    arrivals.take(44);
    expect(arrivals.advance()).toBe(true);
    expect(arrivals.save()).toEqual({ next: 7, nextOffset: 44, takenOffset: 44, mark: 107 });
  });
});

describe("the room for frames", () => {
  const deliver = (arrivals: Arrivals, frames: number, content: Uint8Array): void => {
    for (let i = 0; i < frames; i++) {
      arrivals.add(arrivals.next, frameBehind(7), 7);
      arrivals.shift();
      arrivals.deliver(content);
    }
  };

  it("shrinks by the bytes that wait, and comes back when they are taken", () => {
    const arrivals = new Arrivals({ ...START, nextOffset: 0, takenOffset: 3 });
    expect(arrivals.limit(4, 10)).toBe(4);
    deliver(arrivals, 4, new Uint8Array(10));
    expect(arrivals.limit(4, 10)).toBe(4);
    arrivals.take(25);
    arrivals.advance();
    expect(arrivals.limit(4, 10)).toBe(6);
  });

  it("is used up by many frames, too, of which none can be taken", () => {
    const arrivals = new Arrivals(START);
    deliver(arrivals, 1, new Uint8Array(1));
    deliver(arrivals, 1_000, new Uint8Array(0));
    expect(arrivals.limit(4, 10)).toBe(4 + 128);
    arrivals.take(1);
    arrivals.advance();
    expect(arrivals.limit(4, 10)).toBe(1_001 + 4);
  });
});

it("what was not delivered cannot be taken", () => {
  const arrivals = new Arrivals(START);
  arrivals.add(0, frameBehind(0), 101);
  arrivals.take(10);
  expect([arrivals.takenOffset, takeAll(arrivals), arrivals.takenOffset]).toEqual([0, 1, 10]);
});
