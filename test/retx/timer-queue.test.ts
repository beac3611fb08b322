import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TimerHandle, TimerQueue } from "../../src/retx/index.ts";

function drain<T>(queue: TimerQueue<T>, now: number): T[] {
  const items: T[] = [];
  for (let item = queue.due(now); item !== undefined; item = queue.due(now)) items.push(item);
  return items;
}

describe("TimerQueue", () => {
  it("hands out what is due, earliest first, and keeps the rest", () => {
    const queue = new TimerQueue<string>({ capacity: 8 });
    queue.push(30, "c");
    queue.push(10, "a");
    queue.push(20, "b");
    expect(queue.deadline()).toBe(10);
    expect(drain(queue, 20)).toEqual(["a", "b"]);
    expect(queue.deadline()).toBe(30);
    expect(queue.size).toBe(1);
  });

  it("keeps the order of arrival among equal instants", () => {
    const queue = new TimerQueue<number>({ capacity: 8 });
    for (const item of [1, 2, 3, 4]) queue.push(5, item);
    expect(drain(queue, 5)).toEqual([1, 2, 3, 4]);
  });

  it("forgets a cancelled item, and says whether it was still there", () => {
    const queue = new TimerQueue<string>({ capacity: 8 });
    const first = queue.push(1, "first");
    queue.push(2, "second");
    expect(queue.cancel(first)).toBe(true);
    expect(queue.cancel(first)).toBe(false);
    expect(queue.deadline()).toBe(2);
    expect(drain(queue, 9)).toEqual(["second"]);
  });

  it("ignores the handle of an item that was handed out or cleared", () => {
    const queue = new TimerQueue<string>({ capacity: 8 });
    const out = queue.push(1, "out");
    expect(queue.due(1)).toBe("out");
    expect(queue.cancel(out)).toBe(false);
    const cleared = queue.push(1, "cleared");
    queue.clear();
    expect(queue.cancel(cleared)).toBe(false);
    expect(queue.size).toBe(0);
    expect(queue.deadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it("is full at its capacity, counts only the living, and refuses more", () => {
    const queue = new TimerQueue<number>({ capacity: 2 });
    const handle = queue.push(1, 1);
    queue.push(2, 2);
    expect(queue.isFull).toBe(true);
    expect(() => queue.push(3, 3)).toThrow(/room/);
    queue.cancel(handle);
    expect(queue.isFull).toBe(false);
    queue.push(3, 3);
    expect(drain(queue, 9)).toEqual([2, 3]);
  });

  it("refuses an instant that is no number, and a capacity that is none", () => {
    expect(() => new TimerQueue({ capacity: 2 }).push(Number.NaN, 1)).toThrow(/instant/);
    for (const capacity of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new TimerQueue({ capacity })).toThrow(RangeError);
    }
  });

  it("does what a sorted list does, through any sequence of calls", () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ push: fc.integer({ min: 0, max: 50 }) }) },
      { weight: 4, arbitrary: fc.record({ cancel: fc.nat(200) }) },
      { weight: 2, arbitrary: fc.record({ due: fc.integer({ min: 0, max: 50 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const queue = new TimerQueue<number>({ capacity: 1_000 });
        const handles: TimerHandle[] = [];
        let model: { at: number; id: number }[] = [];
        for (const action of steps) {
          if ("push" in action) {
            model.push({ at: action.push, id: handles.length });
            handles.push(queue.push(action.push, handles.length));
          } else if ("cancel" in action) {
            const id = handles.length === 0 ? 0 : action.cancel % handles.length;
            const handle = handles[id];
            if (handle === undefined) continue;
            expect(queue.cancel(handle)).toBe(model.some((entry) => entry.id === id));
            model = model.filter((entry) => entry.id !== id);
          } else {
            const due = model.filter((entry) => entry.at <= action.due);
            due.sort((a, b) => a.at - b.at || a.id - b.id);
            expect(drain(queue, action.due)).toEqual(due.map((entry) => entry.id));
            model = model.filter((entry) => entry.at > action.due);
          }
          expect(queue.size).toBe(model.length);
          const next = Math.min(Number.POSITIVE_INFINITY, ...model.map((entry) => entry.at));
          expect(queue.deadline()).toBe(next);
        }
      }),
    );
  });

  it("stays small and quick when nearly everything is cancelled", () => {
    const queue = new TimerQueue<number>({ capacity: 4 });
    queue.push(1e9, -1);
    for (let i = 0; i < 200_000; i++) queue.cancel(queue.push(1_000 + i, i));
    expect(queue.size).toBe(1);
    expect(drain(queue, 1e9)).toEqual([-1]);
  });
});
