import { Broadcast, Stream, Subscription } from "culvert";
import { MemoryTransport, type Transport } from "culvert/transport";
import { expect, onTestFinished, test } from "vitest";
import { UnreadLife } from "../../../src/stream/receiver/unread-life.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const SECRET = new Uint8Array(32).fill(1);
const TTL_SECONDS = 1_000;

/** A writer that has stopped, and the reader who comes when so many seconds have passed. */
async function readerAfter(seconds: number, through: (map: Transport) => Transport) {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, ttlSecondsMax: TTL_SECONDS });
  const writer = Stream.listen(map, SECRET, { clock });
  writer.write("some");
  await clock.runPromise(writer.close());
  await writer.halt();
  await clock.runUntil(clock.now() + 1_000 * seconds);
  const reader = Stream.dial(through(map), SECRET, { clock });
  onTestFinished(() => reader.halt());
  expect(reader.progress().peerExpiresAt).toBe(Number.POSITIVE_INFINITY);
  await clock.runUntil(clock.now() + 1_000);
  expect(reader.read()?.toString()).toBe("some");
  return { clock, reader };
}

test("a reader knows until when the Map keeps what it has not read", async () => {
  const { clock, reader } = await readerAfter(300, (map) => map);
  const leftSeconds = (reader.progress().peerExpiresAt - clock.now()) / 1_000;
  expect(leftSeconds).toBeLessThanOrEqual(TTL_SECONDS - 300);
  expect(leftSeconds).toBeGreaterThan(TTL_SECONDS - 305);
});

test("so does a reader of a broadcast", async () => {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, ttlSecondsMax: TTL_SECONDS });
  const broadcast = new Broadcast(map, { clock });
  broadcast.write("some");
  await clock.runPromise(broadcast.sync());
  await broadcast.halt();
  await clock.runUntil(clock.now() + 300_000);
  const reader = new Subscription(map, broadcast.capabilityAtStart(), { clock });
  onTestFinished(() => reader.close());
  expect(reader.progress().expiresAt).toBe(Number.POSITIVE_INFINITY);
  await clock.runUntil(clock.now() + 1_000);
  expect(reader.read()?.toString()).toBe("some");
  const leftSeconds = (reader.progress().expiresAt - clock.now()) / 1_000;
  expect(leftSeconds).toBeLessThanOrEqual(TTL_SECONDS - 300);
  expect(leftSeconds).toBeGreaterThan(TTL_SECONDS - 305);
});

test.each([
  ["no number", "soon"],
  ["no time", Number.NaN],
  ["a time that is over", -1],
])("a Map that tells %s tells nothing", async (_what, told) => {
  const { reader } = await readerAfter(0, (map) => ({
    payloadSize: map.payloadSize,
    put: (frameId, cell, options) => map.put(frameId, cell, options),
    get: async (frameId, { onTtl, ...options } = {}) => {
      const cell = await map.get(frameId, options);
      onTtl?.(told as number);
      return cell;
    },
  }));
  expect(reader.progress().peerExpiresAt).toBe(Number.POSITIVE_INFINITY);
});

test("an older frame that comes late says nothing of what was put later", () => {
  const life = new UnreadLife();
  life.note(5, 100, 0);
  life.note(4, 10, 1_000);
  expect(life.endsAt).toBe(100_000);
});
