import { generateSecret, MemoryJournalStore, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";

const HOUR_MS = 3_600_000;

/** A Map that grants lives of this length, and lossy ways to it, in virtual time. */
function place(given: { readonly loss: number; readonly ttlSecondsMax?: number }) {
  const { loss, ttlSecondsMax = 604_800 } = given;
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 300, ttlSecondsMax });
  onTestFinished(() => map.close());
  const way = (seed: number): LossyTransport =>
    new LossyTransport(map, { clock, rttMs: 40, loss, seed });
  const pass = (ms: number): Promise<void> => clock.runUntil(clock.now() + ms);
  return { clock, map, way, pass, secret: generateSecret() };
}

it.each([1, 2, 3])(
  "what is stored never falls while the peer is away, seed %i",
  async (seed) => {
    const { clock, way, pass, secret } = place({ loss: 0.1, ttlSecondsMax: 600 });
    const writer = Stream.listen(way(seed), secret, { clock });
    // More than it may write ahead: not all is stored before somebody reads.
    writer.write(new Uint8Array(400 * writer.payloadSize));
    await pass(30_000);
    const least = 200 * writer.payloadSize;
    let last = 0;
    const falls: number[][] = [];
    const unknown: number[] = [];
    for (const end = clock.now() + 700_000; clock.now() < end; await pass(35)) {
      const { storedBytes, expiresAt } = writer.progress();
      if (storedBytes < last) falls.push([clock.now(), last, storedBytes]);
      // All of it is in the Map for ten minutes, and nothing for ever.
      if (!Number.isFinite(expiresAt)) unknown.push(clock.now());
      last = storedBytes;
    }
    expect(last).toBeGreaterThan(least);
    expect([falls.slice(0, 3), unknown.slice(0, 3)]).toEqual([[], []]);
    await writer.halt();
  },
  60_000,
);

it("tells until when the Map keeps what is unread, also while it cannot be reached", async () => {
  const { clock, way, pass, secret } = place({ loss: 0, ttlSecondsMax: 600 });
  const near = way(1);
  let isOpen = true;
  const transport: Transport = {
    payloadSize: near.payloadSize,
    put: (frameId, cell, options) =>
      isOpen ? near.put(frameId, cell, options) : new Promise(() => {}),
    get: (frameId, options) => near.get(frameId, options),
  };
  const writer = Stream.listen(transport, secret, { clock });
  writer.write("one frame");
  await pass(1_000);
  const { expiresAt } = writer.progress();
  expect(expiresAt).toBeGreaterThan(clock.now() + 590_000);
  isOpen = false;
  await pass(HOUR_MS);
  expect(writer.progress().expiresAt).toBe(expiresAt);
  await writer.halt();
});

it.each([1, 2, 3])(
  "a stream that goes on tells no less than before, seed %i",
  async (seed) => {
    const { clock, map, way, pass, secret } = place({ loss: 0.1 });
    const store = new MemoryJournalStore();
    const shared = { store, secret, clock, role: "listener", noDelay: true } as const;
    const first = await Stream.open({ transport: way(seed), ...shared });
    // Probes, and a frame that is not full, are among those that nobody has read.
    let written = 0;
    for (let part = 0; part < 8; part++) {
      const bytes = 20 * first.payloadSize + 7 * part;
      first.write(new Uint8Array(bytes));
      written += bytes;
      await pass(60_000);
    }
    const before = first.progress();
    expect([before.storedBytes, before.framedBytes]).toEqual([written, written]);
    await first.halt();
    let isOpen = false;
    const back = way(seed + 10);
    const transport: Transport = {
      payloadSize: back.payloadSize,
      put: (frameId, cell, options) =>
        isOpen ? back.put(frameId, cell, options) : new Promise(() => {}),
      get: (frameId, options) => back.get(frameId, options),
    };
    const again = await Stream.open({ transport, ...shared });
    onTestFinished(() => again.halt());
    again.write("more");
    await pass(0);
    expect(again.progress().storedBytes).toBe(written);
    isOpen = true;
    const reader = Stream.dial(map, secret, { clock, confirm: "manual" }).on("data", () => {});
    onTestFinished(() => reader.halt());
    await pass(60_000);
    // The end of a frame that is not full.
    const taken = 40 * first.payloadSize + 7;
    reader.confirm(taken + 100);
    await pass(60_000);
    expect(again.progress().acknowledgedBytes).toBe(taken);
  },
  60_000,
);

it("a session that begins when the Map has forgotten all tells so at once", async () => {
  const { clock, way, pass, secret } = place({ loss: 0, ttlSecondsMax: 600 });
  const first = Stream.listen(way(1), secret, { clock });
  const bytes = 20 * first.payloadSize;
  first.write(new Uint8Array(bytes));
  await pass(10_000);
  expect(first.progress().storedBytes).toBe(bytes);
  const state = await first.save();
  await pass(HOUR_MS);
  const again = await Stream.load(way(2), state, { clock });
  onTestFinished(() => again.halt());
  const told = [again.progress().storedBytes];
  for (let at = 0; at < 100; at++) {
    await pass(20);
    told.push(again.progress().storedBytes);
  }
  expect([told[0], told[1], told.at(-1)]).toEqual([0, 0, bytes]);
  expect(told).toEqual([...told].sort((a, b) => a - b));
});
