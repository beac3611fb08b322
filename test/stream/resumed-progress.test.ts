import { Broadcast, generateCapability, generateSecret, MemoryJournalStore, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport, type Transport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";

const FRAMES = 40;

/** A Map, a store, and a way that is `open` to so many puts; no other is answered. */
function place() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 300 });
  onTestFinished(() => map.close());
  const way = { open: Number.POSITIVE_INFINITY };
  const transport: Transport = {
    payloadSize: map.payloadSize,
    put: async (frameId, cell, options) => {
      way.open -= 1;
      return await (way.open < 0 ? new Promise(() => {}) : map.put(frameId, cell, options));
    },
    get: (frameId, options) => map.get(frameId, options),
  };
  const pass = (ms: number): Promise<void> => clock.runUntil(clock.now() + ms);
  return { clock, map, transport, way, pass, store: new MemoryJournalStore() };
}

it("a stream that goes on tells what was stored before, and what was taken since", async () => {
  const { clock, map, transport, way, pass, store } = place();
  const secret = generateSecret();
  const shared = { transport, store, secret, clock, role: "listener" } as const;
  const first = await Stream.open(shared);
  const bytes = FRAMES * first.payloadSize;
  way.open = FRAMES - 5;
  first.end(new Uint8Array(bytes));
  await pass(1_000);
  const before = first.progress().storedBytes;
  expect(before).toBeGreaterThan(bytes / 2);
  await first.halt();
  way.open = 0;
  const again = await Stream.open(shared);
  onTestFinished(() => again.halt());
  await pass(0);
  expect(again.progress()).toMatchObject({ storedBytes: before, isAllStored: false });
  const b = Stream.dial(map, secret, { clock, confirm: "manual" });
  onTestFinished(() => b.halt());
  b.on("data", () => {});
  await pass(1_000);
  b.confirm(bytes / 2);
  way.open = 2; // not enough for all of it
  await pass(10_000);
  const { acknowledgedBytes } = again.progress();
  expect([acknowledgedBytes > 0.4 * bytes, acknowledgedBytes <= bytes / 2]).toEqual([true, true]);
});

it("a broadcast that goes on tells what was stored before", async () => {
  const { clock, transport, way, pass, store } = place();
  const shared = { transport, store, capability: generateCapability(), clock };
  const first = await Broadcast.open(shared);
  way.open = FRAMES - 5;
  first.end(new Uint8Array(FRAMES * 250));
  await pass(1_000);
  const before = first.progress().storedBytes;
  expect(before).toBeGreaterThan(5_000);
  await first.halt();
  way.open = 0;
  const again = await Broadcast.open(shared);
  onTestFinished(() => again.halt());
  expect(again.progress().storedBytes).toBe(before);
});
