import { CulvertError, type ErrorCode, generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";
import { pattern } from "./virtual-pair.ts";

const RTT_MS = 5;
const MINUTES_10_MS = 600_000;

it.each(["CULVERT_BUSY", "CULVERT_UNREACHABLE"] as const)(
  "a fast Map whose answer to all is %s is asked rarely",
  async (code: ErrorCode) => {
    const clock = new VirtualClock();
    const map = new MemoryTransport({ clock });
    onTestFinished(() => map.close());
    const lossy = new LossyTransport(map, { rttMs: RTT_MS, clock });
    let isRefusing = false;
    let refused = 0;
    const refuse = async (): Promise<never> => {
      refused += 1;
      await new Promise<void>((resolve) => clock.schedule(clock.now() + RTT_MS, resolve));
      throw new CulvertError(code);
    };
    const transport: Transport = {
      payloadSize: lossy.payloadSize,
      put: (...args) => (isRefusing ? refuse() : lossy.put(...args)),
      get: (...args) => (isRefusing ? refuse() : lossy.get(...args)),
    };
    const stream = Stream.listen(transport, generateSecret(), { clock });
    stream.write(pattern(30_000));
    await clock.runUntil(() => stream.progress().isAllStored, 10_000);
    isRefusing = true;
    stream.write(pattern(30_000));
    const before = clock.now();
    await clock.runUntil(before + MINUTES_10_MS);
    // Of the puts that may be under way at once, so many in a second.
    expect(refused).toBeLessThan((30 * MINUTES_10_MS) / 1_000);
    isRefusing = false;
    await clock.runUntil(() => stream.progress().isAllStored, 2_000);
    await stream.halt();
  },
);

it("a slow Map with room for two puts refuses few at once", async () => {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  onTestFinished(() => map.close());
  const lossy = new LossyTransport(map, { rttMs: 5_000, clock });
  let underWay = 0;
  let refused = 0;
  const narrow: Transport = {
    payloadSize: lossy.payloadSize,
    put: async (...args) => {
      if (underWay >= 2) {
        refused += 1;
        throw new CulvertError("CULVERT_BUSY");
      }
      underWay += 1;
      return await lossy.put(...args).finally(() => {
        underWay -= 1;
      });
    },
    get: (...args) => lossy.get(...args),
  };
  const stream = Stream.listen(narrow, generateSecret(), { clock });
  stream.write(pattern(100_000));
  await clock.runUntil(() => stream.progress().isAllStored, 3_600_000);
  expect(refused).toBeLessThan(10 * stream.progress().unacknowledgedFrames);
  await stream.halt();
});
