import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";

const HOUR_MS = 3_600_000;

/** A Map and two ways to it, in virtual time. */
function place(given: { readonly rttMs: number; readonly ttlSecondsMax?: number }) {
  const { rttMs, ttlSecondsMax = 604_800 } = given;
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: 120, ttlSecondsMax });
  onTestFinished(() => map.close());
  const way = (seed: number): Transport => new LossyTransport(map, { clock, rttMs, seed });
  const pass = (ms: number): Promise<unknown> => clock.runUntil(clock.now() + ms);
  return { clock, way, pass, secret: generateSecret() };
}

it("looks for late data though acks are asked for, too, and its window has one place", async () => {
  const { clock, way, pass, secret } = place({ rttMs: 20_000 });
  const writer = Stream.listen(way(1), secret, { clock });
  const reader = Stream.dial(way(2), secret, { clock, window: 1 }).resume();
  writer.write("early");
  await pass(HOUR_MS);
  writer.write("late");
  // It took days.
  await pass(600_000);
  expect(reader.bytesRead).toBe(9);
  await Promise.all([writer.halt(), reader.halt()]);
});

it("asks whether anybody reads though all of its window goes into short lives", async () => {
  const { clock, way, pass, secret } = place({ rttMs: 20_000, ttlSecondsMax: 120 });
  const first = Stream.listen(way(1), secret, { clock });
  first.write(new Uint8Array(20 * first.payloadSize - 1));
  await pass(60_000);
  const state = await first.save();
  const second = await Stream.load(way(2), state, { clock, window: 1 });
  const before = second.progress().unacknowledgedFrames;
  await pass(6 * HOUR_MS);
  expect(second.progress().unacknowledgedFrames).toBeGreaterThan(before + 3);
  await second.halt();
});

it("finds the answer to its probe though that expires before its next question", async () => {
  const { clock, way, pass, secret } = place({ rttMs: 50 });
  const writer = Stream.listen(way(1), secret, { clock, quietAskMsMax: 600_000 });
  writer.write("anybody there?");
  await pass(2 * HOUR_MS);
  const reader = Stream.dial(way(2), secret, { clock, ttlSeconds: 60 }).resume();
  // It took nine hours.
  await pass(HOUR_MS);
  expect(writer.progress().isAllAcknowledged).toBe(true);
  await Promise.all([writer.halt(), reader.halt()]);
});

it("tells a new reader soon what the Map has lost while its writer waited for days", async () => {
  const { clock, way, pass, secret } = place({ rttMs: 50 });
  const writer = Stream.listen(way(1), secret, { clock });
  writer.write("anybody there?");
  await pass(5 * 24 * HOUR_MS);
  const empty = new MemoryTransport({ clock, payloadSize: 120 });
  onTestFinished(() => empty.close());
  writer.setTransport(empty);
  const reader = Stream.dial(empty, secret, { clock }).resume();
  // Its writer asks once a day.
  await pass(120_000);
  expect(reader.bytesRead).toBe(14);
  await Promise.all([writer.halt(), reader.halt()]);
});

it("gets the rest of a character through after many probes, with little credit", async () => {
  const { clock, way, pass, secret } = place({ rttMs: 50 });
  const far = way(2);
  const muted: Transport = {
    payloadSize: far.payloadSize,
    get: (frameId, options) => far.get(frameId, options),
    // An acknowledgement gets through now and then, and tells of several probes: they go on.
    put: (frameId, cell, options) =>
      clock.now() % 20_000 < 1_000 ? far.put(frameId, cell, options) : new Promise(() => {}),
  };
  const writer = Stream.listen(way(1), secret, { clock, noDelay: true });
  const reader = Stream.dial(muted, secret, { clock, creditFrames: 8 });
  let text = "";
  reader.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  const [first = 0, ...rest] = Buffer.from("€");
  writer.write(Uint8Array.of(first));
  await pass(HOUR_MS);
  expect(writer.progress().unacknowledgedFrames).toBeGreaterThan(120);
  writer.write(Uint8Array.from(rest));
  await pass(60_000);
  expect(text).toBe("€");
  await Promise.all([writer.halt(), reader.halt()]);
});
