import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/io/clock.ts";
import { TimeSlice } from "../../src/io/time-slice.ts";

/** An owner with work that takes `pieceMs` a piece, and a clock that only its work moves. */
function worker(pieceMs: number) {
  let now = 0;
  let left = 0;
  /** How many pieces each go got done. */
  const done: number[] = [];
  const clock = { ...systemClock, now: () => now };
  const slice = new TimeSlice(clock, () => go());
  const go = (): void => {
    let pieces = 0;
    for (; left > 0 && slice.begin(); left--, pieces++) now += pieceMs;
    if (pieces > 0) done.push(pieces);
  };
  const give = (pieces: number): void => {
    left += pieces;
    go();
  };
  return { give, done, pass: (ms: number) => (now += ms) };
}

describe("a slice of a turn", () => {
  it("lasts a millisecond, and goes on at the end of the turn by one piece alone", async () => {
    const { give, done } = worker(0.3);
    give(20);
    expect(done).toEqual([4]);
    await turn();
    expect(done).toEqual([4, 1]);
  });

  it("comes once in each turn after that, and lasts as long as the first", async () => {
    const { give, done } = worker(0.3);
    give(13);
    await turn();
    await turn();
    expect(done).toEqual([4, 1, 4]);
    // What comes in before the end of this turn waits for it.
    give(1);
    expect(done).toEqual([4, 1, 4]);
    await turn();
    expect(done).toEqual([4, 1, 4, 4]);
    await turn();
    expect(done).toEqual([4, 1, 4, 4, 1]);
  });

  it("is whole in the turn after one in which it was not spent", async () => {
    const { give, done } = worker(0.3);
    give(2);
    await turn();
    give(6);
    await turn();
    expect(done).toEqual([2, 4, 1]);
  });

  it("has no end where work takes no time, whatever the clock did before", async () => {
    const { give, done, pass } = worker(0);
    give(1);
    pass(1_000);
    give(50);
    expect(done).toEqual([1]);
    await turn();
    expect(done).toEqual([1, 50]);
  });
});
