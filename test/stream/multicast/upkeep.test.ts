import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { Upkeep } from "../../../src/stream/multicast/upkeep.ts";

const NEVER = Number.POSITIVE_INFINITY;
const LONG_AGO = Number.NEGATIVE_INFINITY;

function upkeepOf(refreshSeconds = 0): Upkeep {
  const random = new SeededRandom(1);
  return new Upkeep({ capacity: 8, random, ttlSeconds: 100, refreshSeconds });
}

describe("a frame of a broadcast that the Map has", () => {
  it("is put again once for all who lack it, until that is answered", () => {
    const upkeep = upkeepOf();
    // By their times alone each of them would be repaired.
    const repair = (): boolean => upkeep.repair(1, { now: 0, since: 1 });
    expect([repair(), repair()]).toEqual([true, false]);
    expect(upkeep.next()).toBe(1);
    expect([repair(), upkeep.next()]).toEqual([false, undefined]);
    upkeep.stored(1, { now: 10, expiresAt: NEVER, endsAt: NEVER });
    expect(repair()).toBe(true);
  });

  it("is not put again for its time while it is on its way for a reader", () => {
    const upkeep = upkeepOf();
    upkeep.stored(1, { now: 0, expiresAt: 100_000, endsAt: NEVER });
    upkeep.repair(1, { now: 10, since: LONG_AGO });
    expect(upkeep.next()).toBe(1);
    upkeep.timeout(100_000);
    expect(upkeep.isDue).toBe(false);
  });

  it("is not put again when a put is late that has been answered since", () => {
    const upkeep = upkeepOf();
    upkeep.repair(1, { now: 0, since: LONG_AGO });
    expect(upkeep.next()).toBe(1);
    upkeep.stored(1, { now: 10, expiresAt: NEVER, endsAt: NEVER });
    upkeep.late(1);
    expect(upkeep.isDue).toBe(false);
  });

  it("is left alone when it is given up before its time there ends, or its next turn", () => {
    const upkeep = upkeepOf();
    upkeep.stored(1, { now: 0, expiresAt: 200_000, endsAt: 150_000 });
    expect(upkeep.deadline()).toBe(NEVER);
    const refreshing = upkeepOf(1_000);
    refreshing.stored(1, { now: 0, expiresAt: NEVER, endsAt: 500_000 });
    expect(refreshing.deadline()).toBe(NEVER);
    refreshing.stored(1, { now: 0, expiresAt: NEVER, endsAt: 2_000_000 });
    expect(refreshing.deadline()).toBeLessThanOrEqual(1_000_000);
  });

  it("goes on being put again at the times at which it would have been", () => {
    const upkeep = upkeepOf(1_000);
    const now = 3_900_000;
    upkeep.resumed(1, { now, bornAt: 0, expiresAt: NEVER, endsAt: NEVER });
    expect(upkeep.deadline()).toBeLessThanOrEqual(4_000_000);
  });
});
