import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, it, onTestFinished } from "vitest";

/** A Map, two ways to it, and a secret. On the first way no receipt comes before `openAt`. */
function place() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 300 });
  onTestFinished(() => map.close());
  const near = new LossyTransport(map, { rttMs: 20, clock });
  const late = { openAt: 0 };
  const deaf: Transport = {
    payloadSize: near.payloadSize,
    put: async (frameId, cell, options) => {
      const receipt = await near.put(frameId, cell, options);
      if (clock.now() < late.openAt) await new Promise(() => {});
      return receipt;
    },
    get: (frameId, options) => near.get(frameId, options),
  };
  const pass = (ms: number): Promise<void> => clock.runUntil(clock.now() + ms);
  return { clock, near, deaf, late, pass, secret: generateSecret() };
}

describe("a writer whose peer is through before the first receipt comes", () => {
  it.each([2_000, 5_000])("closes a new stream, %i ms late", async (lateMs) => {
    const { clock, near, deaf, late, pass, secret } = place();
    late.openAt = lateMs;
    const a = Stream.listen(deaf, secret, { clock });
    const b = Stream.dial(near, secret, { clock });
    for (const stream of [a, b]) stream.resume();
    a.end("question");
    b.end("answer");
    await pass(600_000);
    expect(b.destroyed).toBe(true);
    expect([a.progress().isAllStored, a.progress().isEndTaken, a.destroyed]).toEqual([
      true,
      true,
      true,
    ]);
  });

  it("closes one that goes on from its state", async () => {
    const { clock, near, deaf, late, pass, secret } = place();
    const before = Stream.listen(near, secret, { clock });
    const b = Stream.dial(near, secret, { clock });
    for (const stream of [before, b]) stream.resume();
    b.end("answer");
    before.write("question");
    await clock.runPromise(Promise.all([before.sync(), b.sync()]), 60_000);
    const state = await clock.runPromise(before.save(), 60_000);
    late.openAt = clock.now() + 10_000;
    const a = await Stream.load(deaf, state, { clock });
    a.resume();
    a.end("thanks");
    await pass(9_000);
    expect([b.destroyed, a.progress().isEndTaken]).toEqual([true, false]);
    await pass(600_000);
    expect([a.progress().isEndTaken, a.destroyed]).toEqual([true, true]);
  });
});

it("what is stored is told without a gap: not behind a frame that has no receipt", async () => {
  const { clock, near, secret, pass } = place();
  const seen: string[] = [];
  let isThirdLost = true;
  const transport: Transport = {
    payloadSize: near.payloadSize,
    put: (frameId, cell, options) => {
      const name = Buffer.from(frameId).toString("hex");
      if (!seen.includes(name)) seen.push(name);
      const isLost = isThirdLost && seen.indexOf(name) === 2;
      return isLost ? new Promise(() => {}) : near.put(frameId, cell, options);
    },
    get: (frameId, options) => near.get(frameId, options),
  };
  const a = Stream.listen(transport, secret, { clock });
  onTestFinished(() => a.halt());
  a.write(new Uint8Array(5 * a.payloadSize));
  await pass(5_000);
  expect(seen.length).toBeGreaterThan(5);
  expect(a.progress()).toMatchObject({ storedBytes: 2 * a.payloadSize - 1, isAllStored: false });
  isThirdLost = false;
  await pass(60_000);
  expect(a.progress()).toMatchObject({ storedBytes: 5 * a.payloadSize, isAllStored: true });
});
