import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport, type Transport } from "culvert/transport";
import { expect, test } from "vitest";
import { pattern } from "../virtual-pair.ts";

const CELL_BYTES = 512;

/** Another transport, that counts puts, and never answers the gets that it is told to swallow. */
function watched(inner: Transport, isSwallowed: (get: number) => boolean) {
  const counts = { puts: 0, gets: 0 };
  const transport: Transport = {
    payloadSize: inner.payloadSize,
    put: (frameId, cell, options) => {
      counts.puts += 1;
      return inner.put(frameId, cell, options);
    },
    get: (frameId, options) => {
      counts.gets += 1;
      return isSwallowed(counts.gets) ? new Promise(() => {}) : inner.get(frameId, options);
    },
  };
  return { transport, counts };
}

/** How many acknowledgements so many frames bring that come in one instant, in one direction. */
async function acknowledgementsOf(
  frames: number,
  isSwallowed: (get: number) => boolean,
): Promise<number> {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: CELL_BYTES });
  const { transport, counts } = watched(map, isSwallowed);
  const secret = generateSecret();
  const writer = Stream.listen(map, secret, { clock });
  const reader = Stream.dial(transport, secret, { clock });
  reader.resume();
  // What a stream begins with is behind it.
  writer.write(pattern(writer.payloadSize));
  await clock.runUntil(clock.now() + 1_000);
  counts.puts = 0;
  writer.write(pattern(frames * writer.payloadSize));
  await clock.runUntil(clock.now() + 20);
  const { puts } = counts;
  await Promise.all([writer.halt(), reader.halt()]);
  map.close();
  return puts;
}

// The first eight are acknowledged at once in either case: nothing was for a while.

test("frames that pour in are acknowledged once for 64 of them", async () => {
  expect(await acknowledgementsOf(200, () => false)).toBeLessThanOrEqual(1 + 4);
});

test("and once for 32 while one is missing", async () => {
  // The place behind the first frames is asked for among the first gets, and then never answered.
  expect(await acknowledgementsOf(200, (get) => get === 8)).toBeGreaterThanOrEqual(1 + 6);
});
