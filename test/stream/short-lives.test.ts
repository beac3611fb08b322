import { Broadcast, generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";
import { toHex } from "../../src/base/index.ts";
import { pattern } from "./virtual-pair.ts";

const MINUTE_MS = 60_000;

/** A Map that grants this life, whatever it is asked for. */
function place(ttlSeconds: number) {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 300 });
  onTestFinished(() => map.close());
  const lossy = new LossyTransport(map, { rttMs: 100, clock });
  let puts = 0;
  const transport: Transport = {
    payloadSize: lossy.payloadSize,
    put: async (frameId, cell, options) => {
      puts += 1;
      await lossy.put(frameId, cell, options);
      return { ttlSeconds };
    },
    get: (frameId, options) => lossy.get(frameId, options),
  };
  return { clock, transport, puts: () => puts };
}

describe("a Map that grants next to no life", () => {
  it.each([0, 1])("is not flooded by a stream whose peer is away: %i s", async (ttlSeconds) => {
    const { clock, transport, puts } = place(ttlSeconds);
    const stream = Stream.listen(transport, generateSecret(), { clock });
    stream.end(pattern(2_000));
    await clock.runUntil(MINUTE_MS);
    const [before, frames] = [puts(), stream.progress().unacknowledgedFrames];
    await clock.runUntil(11 * MINUTE_MS);
    expect(puts() - before).toBeLessThan(20 * frames);
    expect(puts() - before).toBeGreaterThan(5 * frames);
    await stream.halt();
  });

  it.each([0, 1])("is not flooded by a broadcast: %i s", async (ttlSeconds) => {
    const { clock, transport, puts } = place(ttlSeconds);
    const broadcast = new Broadcast(transport, { clock });
    broadcast.end(pattern(2_000));
    await clock.runUntil(MINUTE_MS);
    const [before, frames] = [puts(), broadcast.progress().keptFrames];
    await clock.runUntil(11 * MINUTE_MS);
    expect(puts() - before).toBeLessThan(20 * frames);
    expect(puts() - before).toBeGreaterThan(5 * frames);
    await broadcast.halt();
  });

  it("has frames put again in time all the same if no more was asked for", async () => {
    const { clock, transport, puts } = place(10);
    const stream = Stream.listen(transport, generateSecret(), { clock, ttlSeconds: 10 });
    stream.end(pattern(2_000));
    await clock.runUntil(MINUTE_MS);
    const [before, frames] = [puts(), stream.progress().unacknowledgedFrames];
    await clock.runUntil(2 * MINUTE_MS);
    expect(puts() - before).toBeGreaterThan(6 * frames);
    await stream.halt();
  });

  it("has all frames put again in turn where that takes longer than they live", async () => {
    const clock = new VirtualClock();
    const map = new MemoryTransport({ clock, payloadSize: 300 });
    onTestFinished(() => map.close());
    const putAt = new Map<string, number>();
    const wayOf = (rttMs: number): Transport => {
      const lossy = new LossyTransport(map, { rttMs, clock });
      return {
        payloadSize: map.payloadSize,
        put: (frameId, cell, options) => {
          putAt.set(toHex(frameId), clock.now());
          return lossy.put(frameId, cell, options);
        },
        get: (frameId, options) => lossy.get(frameId, options),
      };
    };
    const options = { clock, window: 1, ttlSeconds: 60 };
    const stream = Stream.listen(wayOf(100), generateSecret(), options);
    stream.end(pattern(3_000));
    await clock.runUntil(() => stream.progress().isAllStored, MINUTE_MS);
    stream.setTransport(wayOf(20_000));
    const since = clock.now();
    await clock.runUntil(since + 30 * MINUTE_MS);
    expect([...putAt.values()].filter((at) => at < since)).toEqual([]);
    await stream.halt();
  });

  it("does not keep a stream from putting what is new", async () => {
    const clock = new VirtualClock();
    const map = new MemoryTransport({ clock, payloadSize: 300 });
    onTestFinished(() => map.close());
    const slow = new LossyTransport(map, { rttMs: 3_000, clock });
    const options = { clock, window: 1, ttlSeconds: 60, noDelay: true };
    const stream = Stream.listen(slow, generateSecret(), options);
    for (let frames = 1; frames <= 40; frames++) {
      stream.write("a frame of its own");
      await clock.runUntil(frames * MINUTE_MS);
    }
    const { framedBytes, writtenBytes } = stream.progress();
    expect(framedBytes).toBe(writtenBytes);
    await stream.halt();
  });
});
