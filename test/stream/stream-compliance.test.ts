import { generateSecret, MemoryJournalStore, Stream } from "culvert";
import { pair, type StreamFixture, streamCompliance, VirtualClock } from "culvert/testing";
import { MemoryTransport } from "culvert/transport";
import { describe, test } from "vitest";

describe("streams over a Map in fair weather", () => {
  streamCompliance(test, () => inPair({ loss: 0, rtt: 20 }));
});

describe("streams over a lossy Map", () => {
  streamCompliance(test, () => inPair({ loss: 0.2, rtt: 50 }));
});

describe("streams with journals", () => {
  streamCompliance(test, async () => {
    const clock = new VirtualClock();
    const transport = new MemoryTransport({ clock });
    const secret = generateSecret();
    const shared = { transport, secret, clock };
    const [first, second] = [new MemoryJournalStore(), new MemoryJournalStore()];
    const a = await Stream.open({ ...shared, store: first, role: "listener" });
    const b = await Stream.open({ ...shared, store: second, role: "dialer" });
    return onClock(clock, { a, b });
  });
});

async function inPair(weather: { loss: number; rtt: number }): Promise<StreamFixture> {
  const clock = new VirtualClock();
  return onClock(clock, await pair({ ...weather, seed: 11, clock }));
}

function onClock(clock: VirtualClock, { a, b }: { a: Stream; b: Stream }): StreamFixture {
  return {
    a,
    b,
    elapse: (promise) => clock.runPromise(promise, 120_000),
    pass: (ms) => clock.runUntil(clock.now() + ms),
    teardown: async () => {
      await Promise.all([a.halt(), b.halt()]);
    },
  };
}
