import { describe, expect, test } from "vitest";
import { recordOf } from "../fixtures.ts";
import { Rig, STORED } from "../map-core-rig.ts";

/** The answers to gets that came since the last call: whose, and whether the record was lent. */
function found(rig: Rig): [request: number, isBorrowed: boolean][] {
  return rig.effects.splice(0).flatMap((effect): [number, boolean][] => {
    if (effect.kind !== "answer" || effect.answer.kind !== "found") return [];
    return [[effect.request, effect.answer.isBorrowed === true]];
  });
}

function waitFor(rig: Rig, requests: readonly number[]): void {
  for (const request of requests) rig.get(request, 1, 1_000);
  rig.turn();
}

function putAndCommit(rig: Rig): void {
  rig.put(9, recordOf(1));
  rig.turn();
  rig.committed([STORED]);
}

describe("a record that was waited for", () => {
  test("is handed over to the last who waits, and lent to the others", () => {
    const rig = new Rig({}, { sharesNoMemory: true });
    waitFor(rig, [1, 2, 3]);
    putAndCommit(rig);
    expect(found(rig)).toEqual([
      [1, true],
      [2, true],
      [3, false],
    ]);
  });

  test("is lent to all where the store may look at it again", () => {
    const rig = new Rig();
    waitFor(rig, [1, 2]);
    putAndCommit(rig);
    expect(found(rig)).toEqual([
      [1, true],
      [2, true],
    ]);
  });

  test.each([true, false])("goes by the store when that was read (%s)", (sharesNoMemory) => {
    const rig = new Rig({ recentBytesMax: 0 }, { sharesNoMemory });
    waitFor(rig, [1, 2]);
    rig.lookedUp(1, recordOf(1));
    expect(found(rig)).toEqual([
      [1, true],
      [2, !sharesNoMemory],
    ]);
  });
});

test("a record that is at hand stays there, and is lent", () => {
  const rig = new Rig({}, { sharesNoMemory: true });
  putAndCommit(rig);
  waitFor(rig, [1]);
  expect(found(rig)).toEqual([[1, true]]);
});
