import { MemoryTransport } from "culvert/transport";
import { describe, expect, it, test } from "vitest";
import type { Clock } from "../../src/base/index.ts";
import { transportCompliance, VirtualClock } from "../../src/testing/index.ts";

const id = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const cell = (n: number): Uint8Array => new Uint8Array(8).fill(n);

function memory(options: { cellsMax?: number; waitersMax?: number; ttlSecondsMax?: number } = {}): {
  clock: VirtualClock;
  map: MemoryTransport;
} {
  const clock = new VirtualClock();
  return { clock, map: new MemoryTransport({ payloadSize: 8, clock, ...options }) };
}

describe("MemoryTransport keeps the contract of Transport", () => {
  transportCompliance(test, async () => {
    const clock = new VirtualClock();
    const map = new MemoryTransport({ payloadSize: 100, clock });
    return {
      writer: map,
      reader: map,
      elapse: (promise) => clock.runPromise(promise),
      teardown: async () => {
        map.close();
        expect(clock.pending).toBe(0);
      },
    };
  });
});

describe("MemoryTransport", () => {
  it("lets go of no cell that has taken the place of one that was over", async () => {
    const { clock, map } = memory();
    for (let n = 1; n <= 5; n++) await map.put(id(n), cell(n), { ttlSeconds: 1 });
    await map.put(id(9), cell(9), { ttlSeconds: 2 });
    clock.advance(3_000);
    // Each put lets go of a few at the most.
    for (const n of [9, 10]) await map.put(id(n), cell(n + 1));
    expect(await map.get(id(9))).toEqual(cell(10));
  });

  it("forgets a cell when its life ends", async () => {
    const { clock, map } = memory();
    await map.put(id(1), cell(1), { ttlSeconds: 60 });
    clock.advance(59_999);
    expect(await map.get(id(1))).toEqual(cell(1));
    clock.advance(1);
    await expect(map.get(id(1))).rejects.toMatchObject({ code: "CULVERT_NOT_FOUND" });
    await map.put(id(1), cell(2), { ttlSeconds: 60 });
    expect(await map.get(id(1))).toEqual(cell(2));
  });

  it("gives the same bytes a longer life, never a shorter one", async () => {
    const { clock, map } = memory();
    await map.put(id(1), cell(1), { ttlSeconds: 60 });
    clock.advance(30_000);
    expect(await map.put(id(1), cell(1), { ttlSeconds: 60 })).toEqual({ ttlSeconds: 60 });
    expect(await map.put(id(1), cell(1), { ttlSeconds: 1 })).toEqual({ ttlSeconds: 60 });
    clock.advance(59_999);
    expect(await map.get(id(1))).toEqual(cell(1));
  });

  it("tells with a cell how long it is still kept", async () => {
    const { clock, map } = memory();
    const told: number[] = [];
    const onTtl = (seconds: number): void => void told.push(seconds);
    const waiting = map.get(id(1), { waitMs: 1_000, onTtl });
    await map.put(id(1), cell(1), { ttlSeconds: 60 });
    await waiting;
    clock.advance(20_000);
    await map.get(id(1), { onTtl });
    expect(told).toEqual([60, 40]);
  });

  it("grants no life beyond its limit", async () => {
    const { map } = memory({ ttlSecondsMax: 100 });
    expect(await map.put(id(1), cell(1), { ttlSeconds: 1e9 })).toEqual({ ttlSeconds: 100 });
    expect(await map.put(id(2), cell(1))).toEqual({ ttlSeconds: 100 });
    expect(await map.put(id(3), cell(1), { ttlSeconds: Number.NaN })).toEqual({ ttlSeconds: 1 });
  });

  it("evicts what has expired when it is full, never what lives", async () => {
    const { clock, map } = memory({ cellsMax: 3 });
    await map.put(id(1), cell(1), { ttlSeconds: 10 });
    await map.put(id(2), cell(2), { ttlSeconds: 10 });
    await map.put(id(3), cell(3), { ttlSeconds: 99 });
    await expect(map.put(id(4), cell(4))).rejects.toMatchObject({ code: "CULVERT_FULL" });
    await map.put(id(2), cell(2), { ttlSeconds: 99 });
    clock.advance(10_000);
    await map.put(id(4), cell(4));
    await expect(map.put(id(5), cell(5))).rejects.toMatchObject({ code: "CULVERT_FULL" });
    for (const n of [2, 3, 4]) expect(await map.get(id(n))).toEqual(cell(n));
    expect(map.size).toBe(3);
  });

  it("stays within its size over many lives of the same places", async () => {
    const { clock, map } = memory({ cellsMax: 4 });
    for (let round = 0; round < 5_000; round++) {
      await map.put(id(round % 8), cell(round), { ttlSeconds: 1 });
      clock.advance(300);
    }
    expect(map.size).toBeLessThanOrEqual(4);
  });

  it("bounds the gets that wait, and frees a place when one ends", async () => {
    const { clock, map } = memory({ waitersMax: 2 });
    const first = map.get(id(1), { waitMs: 100 });
    const second = map.get(id(2), { waitMs: 1_000 });
    const refused = map.get(id(3), { waitMs: 100 });
    await expect(refused).rejects.toMatchObject({ code: "CULVERT_BUSY" });
    const over = expect(first).rejects.toMatchObject({ code: "CULVERT_NOT_FOUND" });
    clock.advance(100);
    await over;
    const third = map.get(id(3), { waitMs: 100 });
    await map.put(id(3), cell(3));
    await map.put(id(2), cell(2));
    expect(await Promise.all([second, third])).toEqual([cell(2), cell(3)]);
    expect(clock.pending).toBe(0);
  });

  it("keeps the process for a get that waits, unless the caller has its own timers", async () => {
    const clock = new VirtualClock();
    const kept: boolean[] = [];
    const watched: Clock = {
      now: () => clock.now(),
      unixMs: () => clock.unixMs(),
      schedule: (at, run, options) => {
        kept.push(options?.background !== true);
        return clock.schedule(at, run);
      },
    };
    const map = new MemoryTransport({ payloadSize: 8, clock: watched });
    const waiting = [
      map.get(id(1), { waitMs: 100 }),
      map.get(id(1), { waitMs: 100, background: true }),
    ];
    expect(kept).toEqual([true, false]);
    await map.put(id(1), cell(1));
    await Promise.all(waiting);
  });

  it("rejects what waits, and what comes later, once it is closed", async () => {
    const { clock, map } = memory();
    const waiting = expect(map.get(id(1), { waitMs: 100 })).rejects.toMatchObject({
      code: "CULVERT_CLOSED",
    });
    map.close();
    await waiting;
    await expect(map.put(id(1), cell(1))).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
    expect(clock.pending).toBe(0);
  });

  it("refuses limits that are none", () => {
    expect(() => new MemoryTransport({ payloadSize: 0 })).toThrow(RangeError);
    expect(() => new MemoryTransport({ cellsMax: 1.5 })).toThrow(RangeError);
  });
});
