import { expect, it, onTestFinished } from "vitest";
import { toHex } from "../../../src/base/index.ts";
import { Stream } from "../../../src/stream/index.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { MemoryTransport, type Transport } from "../../../src/transport/index.ts";
import { pattern, readAll } from "../virtual-pair.ts";

const LIFE_MS = 3_600_000;
const MOMENT_MS = 1_000;

it("keeps what nobody has read in the Map for as long as the writer lives", async () => {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  const secret = new Uint8Array(32).fill(6);
  const options = { clock, ttlSeconds: LIFE_MS / 1_000 };
  const writer = Stream.listen(map, secret, options);
  onTestFinished(() => writer.halt());
  writer.end(pattern(20_000));
  await clock.runPromise(writer.close(), 600_000);
  for (let lives = 0; lives < 5; lives++) {
    await clock.runUntil(clock.now() + 1.3 * LIFE_MS);
    expect(writer.progress().expiresAt).toBeGreaterThan(clock.now());
    expect(writer.progress().expiresAt).toBeLessThanOrEqual(clock.now() + LIFE_MS);
  }
  const reader = Stream.dial(map, secret, options);
  onTestFinished(() => reader.halt());
  const bytes = await clock.runPromise(readAll(reader), 600_000);
  expect(bytes.equals(pattern(20_000))).toBe(true);
});

it("puts frames again at times of their own, not all at once", async () => {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  const putsAt = new Map<string, number[]>();
  const transport: Transport = {
    payloadSize: map.payloadSize,
    put: (frameId, cell, putOptions) => {
      const name = toHex(frameId);
      putsAt.set(name, [...(putsAt.get(name) ?? []), clock.now()]);
      return map.put(frameId, cell, putOptions);
    },
    get: (frameId, getOptions) => map.get(frameId, getOptions),
  };
  const options = { clock, ttlSeconds: LIFE_MS / 1_000 };
  const writer = Stream.listen(transport, new Uint8Array(32).fill(7), options);
  onTestFinished(() => writer.halt());
  writer.end(pattern(40_000));
  await clock.runUntil(0.99 * LIFE_MS);
  const again = [...putsAt.values()].flatMap((times) => times.find((at) => at > LIFE_MS / 2) ?? []);
  // 21 to 30 of 35 in 120 runs: each has its time by chance, which no seed can hold here.
  expect(again.length).toBeGreaterThan(14);
  // With a probe some go at once: few of all.
  const together = again.map((at) => again.filter((other) => Math.abs(other - at) < MOMENT_MS));
  const most = Math.max(...together.map(({ length }) => length));
  expect(most).toBeLessThan(again.length / 3);
});
