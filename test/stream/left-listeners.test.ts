import { generateSecret, Stream } from "culvert";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { expect, it, onTestFinished } from "vitest";
import { pattern, readAll } from "./virtual-pair.ts";

it("a listener that a transport leaves on a signal hears of its own request alone", async () => {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock });
  onTestFinished(() => map.close());
  const lossy = new LossyTransport(map, { rttMs: 20, clock });
  let [ended, heardTooLate, heard] = [0, 0, 0];
  /** As `fetch` and many a client do: the signal of a request is forgotten with it. */
  const listen = async <T>(signal: AbortSignal | undefined, answer: Promise<T>): Promise<T> => {
    let isOver = false;
    signal?.addEventListener("abort", () => {
      heard += 1;
      if (isOver) heardTooLate += 1;
    });
    try {
      return await answer;
    } finally {
      isOver = true;
      ended += 1;
    }
  };
  const transport: Transport = {
    payloadSize: lossy.payloadSize,
    put: (frameId, cell, options) => listen(options?.signal, lossy.put(frameId, cell, options)),
    get: (frameId, options) => listen(options?.signal, lossy.get(frameId, options)),
  };
  const secret = generateSecret();
  const a = Stream.listen(transport, secret, { clock });
  const b = Stream.dial(transport, secret, { clock });
  a.end(pattern(100_000));
  const read = await clock.runPromise(readAll(b), 60_000);
  expect(read.length).toBe(100_000);
  expect(ended).toBeGreaterThan(100);
  await Promise.all([a.halt(), b.halt()]);
  expect(heard).toBeGreaterThan(0);
  expect(heardTooLate).toBe(0);
});
