import {
  Broadcast,
  generateCapability,
  generateSecret,
  MemoryJournalStore,
  Stream,
  Subscription,
} from "culvert";
import { MemoryTransport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  resolveBroadcastOptions,
  resolveSubscriptionOptions,
} from "../../src/stream/multicast/options.ts";
import { resolveOptions } from "../../src/stream/options.ts";

describe("options", () => {
  it.each([
    ["window", 2.5],
    ["window", 0],
    ["creditFrames", Number.NaN],
    ["creditFrames", 3],
    ["unacknowledgedFramesMax", 3],
    ["receiveFramesMax", 1],
    ["receiveFramesMax", 1e9],
    ["ttlSeconds", 60.5],
    ["writeBufferBytes", 0.1],
  ])("of a stream are refused by name: %s = %d", (name, value) => {
    expect(() => resolveOptions({ [name]: value })).toThrow(new RegExp(`^${name} must be `));
  });

  it("are numbers, and no text that looks like one: sums with it are none", () => {
    const unacknowledgedFramesMax = "208" as unknown as number;
    expect(() => resolveOptions({ unacknowledgedFramesMax })).toThrow(RangeError);
  });

  it.each([resolveOptions, resolveBroadcastOptions, resolveSubscriptionOptions])(
    "are looked at by %o",
    (resolve) => {
      expect(() => resolve({ window: 2.5 })).toThrow(RangeError);
      expect(resolve({ window: 2 }).window).toBe(2);
    },
  );

  it.each([
    ["retainFrames", 1.5],
    ["repairReadersMax", -1],
    ["refreshSeconds", 0.5],
  ])("of a broadcast are too: %s = %d", (name, value) => {
    expect(() => resolveBroadcastOptions({ [name]: value })).toThrow(RangeError);
  });

  it("may be times with a fraction, and for ever", () => {
    expect(resolveOptions({ paceMeanMs: 0.5 }).paceMeanMs).toBe(0.5);
    const retainSeconds = Number.POSITIVE_INFINITY;
    expect(resolveBroadcastOptions({ retainSeconds }).retainSeconds).toBe(retainSeconds);
  });
});

describe("a stream that was opened with a bad option", () => {
  const place = () => {
    const transport = new MemoryTransport();
    onTestFinished(() => transport.close());
    return { transport, store: new MemoryJournalStore() };
  };

  it("leaves its state to who opens it with a good one", async () => {
    const capability = generateCapability();
    const read = capability.readCapability();
    const stream = { ...place(), secret: generateSecret(), role: "dialer" } as const;
    const high = { readableHighWaterMark: -1, writableHighWaterMark: -1 };
    await expect(Stream.open({ ...stream, ...high })).rejects.toThrow(TypeError);
    await expect(Stream.open({ ...stream, lingerMs: Number.NaN })).rejects.toThrow(RangeError);
    await (await Stream.open(stream)).halt();
    const writer = { ...place(), capability };
    await expect(Broadcast.open({ ...writer, ...high })).rejects.toThrow(TypeError);
    await (await Broadcast.open(writer)).halt();
    const reader = { ...place(), capability: read };
    await expect(Subscription.open({ ...reader, ...high })).rejects.toThrow(TypeError);
    await (await Subscription.open(reader)).halt();
  });

  it("confirms in no way but two: with any other it would acknowledge by itself", async () => {
    const confirm = "Manual" as "manual";
    const stream = { ...place(), secret: generateSecret(), role: "dialer" } as const;
    await expect(Stream.open({ ...stream, confirm })).rejects.toThrow(RangeError);
    await (await Stream.open(stream)).halt();
    const reader = { ...place(), capability: generateCapability().readCapability() };
    await expect(Subscription.open({ ...reader, confirm })).rejects.toThrow(RangeError);
    await (await Subscription.open(reader)).halt();
  });

  it("confirms whole bytes only: a state with anything else could not be loaded", async () => {
    const capability = generateCapability().readCapability();
    const [secret, confirm] = [generateSecret(), "manual"] as const;
    const stream = await Stream.open({ ...place(), secret, role: "dialer", confirm });
    const reader = await Subscription.open({ ...place(), capability, confirm });
    for (const one of [stream, reader]) {
      for (const offset of [-0.5, Number.NaN, "0" as unknown as number]) {
        expect(() => one.confirm(offset)).toThrow(RangeError);
      }
      await one.halt();
    }
  });

  it("has no role but two: with any other both ends would wait for each other", async () => {
    const role = "client" as "dialer";
    const open = Stream.open({ ...place(), secret: generateSecret(), role });
    await expect(open).rejects.toThrow(TypeError);
  });
});
