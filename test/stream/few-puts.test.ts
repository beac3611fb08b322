import { buffer } from "node:stream/consumers";
import { Broadcast, generateSecret, Stream, Subscription } from "culvert";
import { localCarrier, MapClient, MapService, MemoryRecordStore } from "culvert/mapservice";
import { VirtualClock } from "culvert/testing";
import { LossyTransport, MemoryTransport, type Transport } from "culvert/transport";
import { describe, expect, it, onTestFinished, test } from "vitest";
import { pattern, readAll } from "./virtual-pair.ts";

const CELL_BYTES = 512;

/** Gets of acknowledgements that a writer waits with, beside those of data. */
const ACK_GETS = 16;

/** What a stream has under way over another transport, at the most since it was last forgotten. */
class Watched implements Transport {
  readonly payloadSize: number;
  readonly putsAtOnce?: number;
  readonly most = { puts: 0, gets: 0 };
  readonly #inner: Transport;
  readonly #now = { puts: 0, gets: 0 };

  constructor(inner: Transport, putsAtOnce?: number) {
    this.#inner = inner;
    this.payloadSize = inner.payloadSize;
    if (putsAtOnce !== undefined) this.putsAtOnce = putsAtOnce;
  }

  put(...args: Parameters<Transport["put"]>): ReturnType<Transport["put"]> {
    return this.#count("puts", () => this.#inner.put(...args));
  }

  get(...args: Parameters<Transport["get"]>): ReturnType<Transport["get"]> {
    return this.#count("gets", () => this.#inner.get(...args));
  }

  forget(): void {
    this.most.puts = 0;
    this.most.gets = 0;
  }

  async #count<T>(kind: "puts" | "gets", ask: () => Promise<T>): Promise<T> {
    this.#now[kind] += 1;
    this.most[kind] = Math.max(this.most[kind], this.#now[kind]);
    try {
      return await ask();
    } finally {
      this.#now[kind] -= 1;
    }
  }
}

/** A Map in virtual time, and ways to it that take 40 ms. */
function place() {
  const clock = new VirtualClock();
  const map = new MemoryTransport({ clock, payloadSize: CELL_BYTES });
  onTestFinished(() => map.close());
  let seed = 0;
  const way = (putsAtOnce?: number): Watched => {
    seed += 1;
    return new Watched(new LossyTransport(map, { clock, rttMs: 40, seed }), putsAtOnce);
  };
  return { clock, way, secret: generateSecret() };
}

describe("a transport that gains by few puts at once", () => {
  test.each([1, 3, 8])("has no more of them, and gets to match: %i", async (putsAtOnce) => {
    const { clock, way, secret } = place();
    const [near, far] = [way(putsAtOnce), way(putsAtOnce)];
    const writer = Stream.listen(near, secret, { clock });
    const reader = Stream.dial(far, secret, { clock });
    const bytes = pattern(300 * writer.payloadSize);
    writer.end(bytes);
    reader.end();
    expect(bytes.equals(await clock.runPromise(readAll(reader), 600_000))).toBe(true);
    expect(near.most.puts).toBe(putsAtOnce);
    // It begins with the gets of every stream, before anything has come.
    expect(far.most.gets).toBeLessThanOrEqual(2 * 16 + ACK_GETS);
    await Promise.all([writer.halt(), reader.halt()]);
  });

  test("is another matter than one that does not say so", async () => {
    const { clock, way, secret } = place();
    const [near, far] = [way(), way()];
    const writer = Stream.listen(near, secret, { clock });
    const reader = Stream.dial(far, secret, { clock });
    writer.end(pattern(300 * writer.payloadSize));
    reader.end();
    await clock.runPromise(readAll(reader), 600_000);
    expect(near.most.puts).toBe(64);
    expect(far.most.gets).toBeGreaterThanOrEqual(64);
    await Promise.all([writer.halt(), reader.halt()]);
  });

  test("is heeded as long as it is the stream's", async () => {
    const { clock, way, secret } = place();
    const [few, many, fewAgain] = [way(2), way(), way(5)];
    const writer = Stream.listen(few, secret, { clock });
    const reader = Stream.dial(way(), secret, { clock });
    reader.resume();
    const carry = async (watched: Watched): Promise<number> => {
      // What is under way over the one before is left to finish.
      await clock.runUntil(clock.now() + 1_000);
      watched.forget();
      writer.write(pattern(200 * writer.payloadSize));
      await clock.runPromise(writer.sync(), 600_000);
      return watched.most.puts;
    };
    expect(await carry(few)).toBe(2);
    writer.setTransport(many);
    expect(await carry(many)).toBe(64);
    writer.setTransport(fewAgain);
    expect(await carry(fewAgain)).toBe(5);
    await Promise.all([writer.halt(), reader.halt()]);
  });

  test("is refused when it says what is no number of puts", async () => {
    const { way, secret } = place();
    const stream = Stream.listen(way(), secret);
    for (const wrong of [0, -1, 1.5, Number.NaN, "8" as never, null as never]) {
      expect(() => Stream.listen(way(wrong), secret)).toThrow(RangeError);
      expect(() => stream.setTransport(way(wrong))).toThrow("putsAtOnce must be");
      expect(() => new Broadcast(way(wrong))).toThrow(RangeError);
    }
    await stream.halt();
  });

  test("holds for a broadcast and its readers", async () => {
    const { clock, way } = place();
    const [near, far] = [way(4), way(4)];
    const broadcast = new Broadcast(near, { clock });
    const subscription = new Subscription(far, broadcast.capability(), { clock });
    const bytes = pattern(200 * (CELL_BYTES - 200));
    broadcast.end(bytes);
    expect(bytes.equals(await clock.runPromise(buffer(subscription), 600_000))).toBe(true);
    expect(near.most.puts).toBe(4);
    await Promise.all([broadcast.halt(), subscription.halt()]);
  });
});

it("is a service in this process that waits for nothing, and no other", async () => {
  const sizes = { payloadSize: CELL_BYTES, entriesMax: 1_000, bytesMax: 2 ** 20 };
  const service = new MapService({ store: new MemoryRecordStore(sizes) });
  const keys = { writeSeed: new Uint8Array(32).fill(7) };
  const clientOf = (options?: Parameters<typeof localCarrier>[1]): MapClient =>
    new MapClient(localCarrier(service, options));
  const near = clientOf({ isVerified: true });
  expect([near.putsAtOnce, near.bind(keys).putsAtOnce]).toEqual([8, 8]);
  const other = clientOf();
  expect([other.putsAtOnce, other.bind(keys).putsAtOnce]).toEqual([undefined, undefined]);
  await service.close();
});
