import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../src/testing/index.ts";

describe("VirtualClock", () => {
  it("runs timers in the order of their instants, then of their arming", () => {
    const clock = new VirtualClock();
    const trace: string[] = [];
    clock.schedule(20, () => trace.push(`late ${clock.now()}`));
    clock.schedule(10, () => trace.push(`first ${clock.now()}`));
    clock.schedule(10, () => trace.push(`second ${clock.now()}`));
    clock.advance(15);
    expect(trace).toEqual(["first 10", "second 10"]);
    expect(clock.now()).toBe(15);
    clock.advance(5);
    expect(trace.at(-1)).toBe("late 20");
  });

  it("runs what a timer arms, within the same step forward", () => {
    const clock = new VirtualClock();
    let ticks = 0;
    const tick = (): void => {
      ticks += 1;
      clock.schedule(clock.now() + 10, tick);
    };
    tick();
    clock.advance(95);
    expect(ticks).toBe(10);
  });

  it("never runs a cancelled timer, and takes any cancel twice", () => {
    const clock = new VirtualClock();
    let runs = 0;
    const cancel = clock.schedule(1, () => {
      runs += 1;
    });
    cancel();
    cancel();
    expect(clock.pending).toBe(0);
    expect(clock.step()).toBe(false);
    expect(runs).toBe(0);
  });

  it("runs at once, but not inside schedule, what is already past", () => {
    const clock = new VirtualClock();
    clock.advance(50);
    let at = -1;
    clock.schedule(10, () => {
      at = clock.now();
    });
    expect(at).toBe(-1);
    clock.advance(0);
    expect(at).toBe(50);
  });

  it("keeps no timer for an instant that never comes", () => {
    const clock = new VirtualClock();
    const cancel = clock.schedule(Number.POSITIVE_INFINITY, () => {});
    expect(clock.pending).toBe(0);
    cancel();
  });

  it("moves the wall clock with the monotonic one", () => {
    const clock = new VirtualClock({ startUnixMs: 5_000 });
    clock.advance(1.5);
    expect(clock.unixMs()).toBe(5_001);
  });

  it("lets promises settle between two timers", async () => {
    const clock = new VirtualClock();
    const sleep = (ms: number): Promise<void> =>
      new Promise((resolve) => clock.schedule(clock.now() + ms, resolve));
    const trace: number[] = [];
    const run = async (): Promise<string> => {
      for (let i = 0; i < 3; i++) {
        await sleep(100);
        trace.push(clock.now());
      }
      return "done";
    };
    expect(await clock.runPromise(run())).toBe("done");
    expect(trace).toEqual([100, 200, 300]);
  });

  it("runs up to an instant, or until something holds", async () => {
    const clock = new VirtualClock();
    let runs = 0;
    const again = (): void => {
      runs += 1;
      clock.schedule(clock.now() + 7, again);
    };
    again();
    await clock.runUntil(70);
    expect([clock.now(), runs]).toEqual([70, 11]);
    await clock.runUntil(() => runs === 20);
    expect(clock.now()).toBe(7 * 19);
  });

  it("says so when the goal cannot be reached", async () => {
    const clock = new VirtualClock();
    await expect(clock.runUntil(() => false)).rejects.toThrow(/nothing left/);
    clock.schedule(1_000, () => {});
    await expect(clock.runUntil(() => false, 500)).rejects.toThrow(/limit of 500 ms/);
  });

  it("passes a rejection on", async () => {
    const clock = new VirtualClock();
    await expect(clock.runPromise(Promise.reject(new Error("no")))).rejects.toThrow("no");
  });
});
