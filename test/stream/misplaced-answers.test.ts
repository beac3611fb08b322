import { CulvertError, type ErrorCode, generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";
import { pattern } from "./virtual-pair.ts";

const RTT_MS = 5;

/** A stream over a Map that may be told to answer puts, or gets, with what belongs to others. */
function setUp() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  onTestFinished(() => map.close());
  const lossy = new LossyTransport(map, { rttMs: RTT_MS, clock });
  const misplaced: { put?: ErrorCode | undefined; get?: ErrorCode | undefined } = {};
  let answered = 0;
  const answer = async (code: ErrorCode): Promise<never> => {
    answered += 1;
    await new Promise<void>((resolve) => clock.schedule(clock.now() + RTT_MS, resolve));
    throw new CulvertError(code, undefined, { remote: true });
  };
  const transport: Transport = {
    payloadSize: lossy.payloadSize,
    put: (...args) => (misplaced.put ? answer(misplaced.put) : lossy.put(...args)),
    get: (...args) => (misplaced.get ? answer(misplaced.get) : lossy.get(...args)),
  };
  const stream = Stream.listen(transport, generateSecret(), { clock });
  let error: Error | undefined;
  stream.on("error", (thrown) => {
    error = thrown;
  });
  return { clock, stream, misplaced, answered: () => answered, error: () => error };
}

it("a get that is told that its address is taken ends no stream", async () => {
  const { clock, stream, misplaced, answered, error } = setUp();
  misplaced.get = "CULVERT_CONFLICT";
  stream.resume();
  stream.write(pattern(3_000));
  await clock.runUntil(() => answered() > 5, 60_000);
  misplaced.get = undefined;
  await clock.runUntil(() => stream.progress().isAllStored, 10_000);
  expect(error()).toBeUndefined();
  await stream.halt();
});

it("a put that is told that nothing is there is not repeated without end", async () => {
  const { clock, stream, misplaced, answered, error } = setUp();
  misplaced.put = "CULVERT_NOT_FOUND";
  stream.write(pattern(30_000));
  await clock.runUntil(clock.now() + 60_000);
  expect(answered()).toBeLessThan(30 * 60);
  misplaced.put = undefined;
  await clock.runUntil(() => stream.progress().isAllStored, 10_000);
  expect(error()).toBeUndefined();
  await stream.halt();
});
