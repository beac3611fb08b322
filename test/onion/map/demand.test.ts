import { describe, expect, it } from "vitest";
import { Demand } from "../../../src/onion/map/demand.ts";
import { settle, VirtualClock } from "../../../src/testing/index.ts";

function demandOf() {
  const clock = new VirtualClock();
  const seen = { over: 0, built: 0 };
  const demand = new Demand({
    clock,
    idleMs: 10_000,
    preparedMs: 60_000,
    over: () => {
      seen.over += 1;
    },
  });
  const prepare = (): void =>
    demand.prepare(() => {
      seen.built += 1;
    });
  /** A request that lasts until the result is called. */
  const ask = (): (() => Promise<void>) => {
    let end = (): void => {};
    const asked = demand.during(() => new Promise<void>((resolve) => (end = resolve)));
    return async () => {
      end();
      await asked;
      await settle();
    };
  };
  return { clock, demand, seen, prepare, ask };
}

describe("whether a stream wants circuits", () => {
  it("is so while something is asked for, and a while beyond", async () => {
    const { clock, demand, seen, ask } = demandOf();
    expect(demand.isWanted).toBe(false);
    const end = ask();
    clock.advance(600_000);
    expect([demand.isWanted, seen.over]).toEqual([true, 0]);
    await end();
    clock.advance(9_999);
    expect([demand.isWanted, seen.over]).toEqual([true, 0]);
    clock.advance(1);
    expect([demand.isWanted, seen.over]).toEqual([false, 1]);
  });

  it("lasts as long from each request on", async () => {
    const { clock, demand, seen, ask } = demandOf();
    await ask()();
    clock.advance(9_000);
    const end = ask();
    clock.advance(5_000);
    await end();
    clock.advance(9_999);
    expect([demand.isWanted, seen.over]).toEqual([true, 0]);
    clock.advance(1);
    expect([demand.isWanted, seen.over]).toEqual([false, 1]);
  });

  it("is so of one that is prepared, until nobody has asked for long, and none has to end", () => {
    const { clock, demand, seen, prepare } = demandOf();
    prepare();
    expect([demand.isWanted, seen.built]).toEqual([true, 1]);
    clock.advance(30_000);
    prepare();
    clock.advance(59_999);
    expect([demand.isWanted, seen.built]).toEqual([true, 2]);
    clock.advance(1);
    expect([demand.isWanted, seen.over]).toEqual([false, 0]);
  });

  it("is not taken back from a request by the time of what was prepared", async () => {
    const { clock, demand, prepare, ask } = demandOf();
    prepare();
    const end = ask();
    clock.advance(60_000);
    expect(demand.isWanted).toBe(true);
    await end();
  });

  it("fails with what was asked for, and then ends as any", async () => {
    const { clock, demand, seen } = demandOf();
    const failed = demand.during(() => Promise.reject(new RangeError("no")));
    await expect(failed).rejects.toThrow(RangeError);
    clock.advance(10_000);
    expect([demand.isWanted, seen.over]).toEqual([false, 1]);
  });

  it("leaves no timer once it is closed, and prepares nothing", async () => {
    const { clock, demand, seen, prepare, ask } = demandOf();
    prepare();
    const end = ask();
    demand.close();
    await end();
    prepare();
    expect([clock.pending, seen.built, seen.over]).toEqual([0, 1, 0]);
    expect(demand.isClosed).toBe(true);
  });
});
