import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { Upkeep } from "../../../src/stream/multicast/upkeep.ts";

const NEVER = Number.POSITIVE_INFINITY;
const LONG_AGO = Number.NEGATIVE_INFINITY;

function upkeepOf(): Upkeep {
  const random = new SeededRandom(1);
  return new Upkeep({ capacity: 8, random, ttlSeconds: 100, refreshSeconds: 0 });
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
});
