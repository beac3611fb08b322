import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameTable } from "../../src/retx/frame-table.ts";

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: "add" as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), place: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "skip" as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("pass" as const), count: fc.nat(20) }) },
);

describe("a table of frames", () => {
  it("keeps what was noted of each of them, while it grows and its slots are used again", () => {
    fc.assert(
      fc.property(
        fc.nat(1_000),
        fc.array(step, { minLength: 60, maxLength: 300 }),
        (first, steps) => {
          const table = new FrameTable(first);
          const model = new Map<number, number>();
          let next = first;
          for (const action of steps) {
            if (action.kind === "add") {
              const slot = table.add(1);
              expect([table.selected[slot], table.puts[slot]]).toEqual([0, 0]);
              table.sentAt[slot] = next;
              table.puts[slot] = next;
              model.set(next, next);
              next += 1;
            } else if (action.kind === "remove") {
              const index = table.base + action.place;
              const slot = table.find(index);
              expect(slot >= 0).toBe(model.delete(index));
              if (slot >= 0) table.remove(slot);
            } else if (action.kind === "skip") {
              table.skipRemoved();
              expect(table.base).toBe(Math.min(...model.keys(), next));
            } else {
              const base = Math.min(table.base + action.count, next);
              for (let index = table.base; index < base; index++) {
                if (model.delete(index)) table.remove(table.find(index));
              }
              table.passTo(base);
            }
            expect([table.next, table.size]).toEqual([next, model.size]);
          }
          for (let index = first - 1; index <= next; index++) {
            const slot = table.find(index);
            const noted = slot < 0 ? undefined : [table.sentAt[slot], table.puts[slot]];
            expect(noted).toEqual(model.has(index) ? [index, index] : undefined);
          }
        },
      ),
      { seed: 1 },
    );
  });

  it("has less than twice as many slots as its run has been long", () => {
    const table = new FrameTable(0);
    for (let index = 0; index < 5_000; index++) {
      table.remove(table.add(1));
      table.skipRemoved();
    }
    expect(table.state.length).toBe(16);
    for (let count = 0; count < 1_000; count++) table.add(1);
    expect(table.state.length).toBe(1_024);
  });
});
