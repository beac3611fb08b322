import { VirtualClock } from "culvert/testing";
import { expect, it } from "vitest";
import { TimeSlice } from "../../src/io/time-slice.ts";

/** Owners of slices on one clock, whose pieces of work take 0.4 ms each. */
class Rig {
  readonly clock = new VirtualClock();
  readonly done: string[] = [];

  /** Works `pieces` off under a name, beginning now. */
  work(name: string, pieces: number): void {
    let left = pieces;
    const goOn = (): void => {
      while (left > 0 && slice.begin()) {
        left -= 1;
        this.clock.advance(0.4);
        this.done.push(name);
      }
    };
    const slice = new TimeSlice(this.clock, goOn);
    goOn();
  }

  /** What was done in each of the next turns, at whose ends deferred work runs. */
  async turns(count: number): Promise<string[]> {
    const turns: string[] = [];
    for (let i = 0; i < count; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      turns.push(this.done.splice(0).join(""));
    }
    return turns;
  }
}

it("is one for all that happens in a turn, whoever works", async () => {
  const rig = new Rig();
  rig.work("a", 4);
  rig.work("b", 4);
  // The end of the turn in which the work came in still belongs to its slice.
  expect(await rig.turns(4)).toEqual(["aaa", "bbb", "ab", ""]);
});

it("goes first to who had nothing of the one before", async () => {
  const rig = new Rig();
  for (const name of ["a", "b", "c"]) rig.work(name, 6);
  expect(await rig.turns(7)).toEqual(["aaa", "bbb", "ccc", "aaa", "bbb", "ccc", ""]);
});

it("is whole again for what comes later", async () => {
  const rig = new Rig();
  rig.work("a", 2);
  expect(await rig.turns(2)).toEqual(["aa", ""]);
  rig.work("a", 3);
  expect(await rig.turns(1)).toEqual(["aaa"]);
});

it("never ends where time stands still", async () => {
  const rig = new Rig();
  rig.clock.advance = (): void => {};
  rig.work("a", 9);
  expect(await rig.turns(1)).toEqual(["aaaaaaaaa"]);
});
