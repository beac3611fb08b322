import { describe, expect, it } from "vitest";
import { CulvertError, onAbort } from "../../../src/base/index.ts";
import type { MapRecord, RecordCarrier } from "../../../src/mapservice/index.ts";
import { GentleStart } from "../../../src/node/carriers/gentle-start.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { random, recordOf } from "./records.ts";

/** Stores at once; gets wait until they are told of a record. */
class Road implements RecordCarrier {
  readonly payloadSize = 40;
  readonly asked: ((record: MapRecord) => void)[] = [];

  async put() {
    return { ttlSeconds: 60 };
  }

  get(_address: Uint8Array, { signal }: { readonly signal?: AbortSignal } = {}) {
    return new Promise<MapRecord>((resolve, reject) => {
      this.asked.push(resolve);
      onAbort(signal, reject);
    });
  }
}

function setUp(gets: number) {
  const clock = new VirtualClock();
  const road = new Road();
  const carrier = new GentleStart(road, clock);
  const address = random.bytes(32);
  const aborts: AbortController[] = [];
  const ask = (waitMs = 60_000): Promise<unknown> => {
    const abort = new AbortController();
    aborts.push(abort);
    return carrier.get(address, { waitMs, signal: abort.signal }).catch(({ name }) => name);
  };
  const waits = Array.from({ length: gets }, () => ask());
  const settle = (ms: number): Promise<void> => clock.runUntil(clock.now() + ms);
  return { clock, road, carrier, waits, ask, aborts, settle, record: recordOf(address) };
}

describe("the beginning of a stream", () => {
  it("leaves a few gets, and more as time passes", async () => {
    const { road, settle } = setUp(16);
    const counts: number[] = [];
    for (let i = 0; i < 5; i++) {
      await settle(i === 0 ? 50 : 100);
      counts.push(road.asked.length);
    }
    expect(counts).toEqual([4, 8, 12, 16, 16]);
  });

  it("leaves more with each answer to a put or a get", async () => {
    const { road, carrier, waits, record, settle } = setUp(16);
    await settle(10);
    await carrier.put(record);
    await settle(10);
    expect(road.asked.length).toBe(8);
    road.asked[0]?.(record);
    expect(await waits[0]).toBe(record);
    await settle(10);
    expect(road.asked.length).toBe(12);
  });

  it("is over after a window of gets: then all of them leave at once", async () => {
    const { road, carrier, ask, record } = setUp(0);
    for (let i = 0; i < 15; i++) await carrier.put(record);
    for (let i = 0; i < 100; i++) void ask();
    expect(road.asked.length).toBe(100);
  });

  it("holds no get that does not wait", () => {
    const { road, ask } = setUp(4);
    void ask(0);
    expect(road.asked.length).toBe(5);
  });

  it("lets go of a get that nobody wants any more, and leaves no timer", async () => {
    const { clock, road, aborts, waits, settle } = setUp(6);
    for (const abort of aborts) abort.abort();
    expect(await Promise.all(waits)).toEqual(Array.from({ length: 6 }, () => "AbortError"));
    await settle(1_000);
    expect(road.asked.length).toBe(4);
    expect(clock.pending).toBe(0);
  });

  it("goes on after failures", async () => {
    const { road, carrier, record, settle } = setUp(6);
    road.put = () => Promise.reject(new CulvertError("CULVERT_BUSY"));
    await expect(carrier.put(record)).rejects.toMatchObject({ code: "CULVERT_BUSY" });
    await settle(200);
    expect(road.asked.length).toBe(6);
  });
});
