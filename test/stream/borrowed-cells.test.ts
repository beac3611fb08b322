import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../src/base/index.ts";
import { pattern, readAll } from "./virtual-pair.ts";

/** Forwards each put at once and settles it late, or loses it; counts cells that changed since. */
function slowTransport(
  inner: Transport,
  clock: VirtualClock,
  random: SeededRandom,
): { transport: Transport; changed: () => number; puts: () => number } {
  let [changed, puts] = [0, 0];
  const transport: Transport = {
    payloadSize: inner.payloadSize,
    async put(frameId, cell, options) {
      puts += 1;
      const sent = cell.slice();
      const isLost = random.unit() < 0.1;
      const receipt = isLost ? undefined : await inner.put(frameId.slice(), sent, options);
      const lateMs = random.unit() < 0.2 ? 2_000 : 10;
      await new Promise<void>((resolve) => clock.schedule(clock.now() + lateMs, resolve));
      if (Buffer.compare(cell, sent) !== 0) changed += 1;
      if (receipt === undefined) throw new Error("lost");
      return receipt;
    },
    get: (frameId, options) => inner.get(frameId, options),
  };
  return { transport, changed: () => changed, puts: () => puts };
}

describe("a cell that a transport borrows", () => {
  test.each([1_024, 32_768])("is the same until its put settles (%i)", async (payloadSize) => {
    const clock = new VirtualClock();
    const inner = new MemoryTransport({ payloadSize, clock });
    const { transport, changed, puts } = slowTransport(inner, clock, new SeededRandom(7));
    const secret = generateSecret();
    const a = Stream.listen(transport, secret, { clock });
    const b = Stream.dial(inner, secret, { clock });
    const bytes = pattern(400 * payloadSize);
    a.end(bytes);
    b.end();
    expect(bytes.equals(await clock.runPromise(readAll(b), 600_000))).toBe(true);
    await clock.runUntil(clock.now() + 5_000);
    expect(puts()).toBeGreaterThan(430);
    expect(changed()).toBe(0);
    await Promise.all([a.halt(), b.halt()]);
  });
});
