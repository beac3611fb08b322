import { expect, it } from "vitest";
import { toHex } from "../../src/base/index.ts";
import { Stream } from "../../src/stream/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import {
  type GetOptions,
  LossyTransport,
  MemoryTransport,
  type PutOptions,
  type Receipt,
  type Transport,
} from "../../src/transport/index.ts";

/** A Map that gives a receipt for the first put of each of its first cells, and keeps none. */
class ForgetfulTransport implements Transport {
  readonly payloadSize: number;
  readonly #inner: MemoryTransport;
  readonly #forgotten = new Set<string>();
  readonly #count: number;

  constructor(clock: VirtualClock, count: number) {
    this.#inner = new MemoryTransport({ clock, payloadSize: 256 });
    this.payloadSize = this.#inner.payloadSize;
    this.#count = count;
  }

  async put(frameId: Uint8Array, cell: Uint8Array, options?: PutOptions): Promise<Receipt> {
    const name = toHex(frameId);
    if (this.#forgotten.size < this.#count && !this.#forgotten.has(name)) {
      this.#forgotten.add(name);
      return { ttlSeconds: 3_600 };
    }
    return await this.#inner.put(frameId, cell, options);
  }

  async get(frameId: Uint8Array, options?: GetOptions): Promise<Uint8Array> {
    return await this.#inner.get(frameId, options);
  }
}

it("has all of a stream put again when another one was lost, in few round trips", async () => {
  const clock = new VirtualClock();
  const secret = new Uint8Array(32).fill(8);
  const place = { clock, payloadSize: 256 };
  const lost = new LossyTransport(new MemoryTransport(place), { clock, rttMs: 50, seed: 1 });
  const map = new LossyTransport(new MemoryTransport(place), { clock, rttMs: 50, seed: 2 });
  const writer = Stream.listen(lost, secret, { clock, unacknowledgedFramesMax: 2_000 });
  writer.write(new Uint8Array(100_000));
  await clock.runUntil(() => writer.progress().isAllStored, 600_000);
  writer.setTransport(map);
  const reader = Stream.dial(map, secret, { clock });
  reader.resume();
  const startedAt = clock.now();
  await clock.runUntil(() => reader.progress().deliveredBytes === 100_000, 3_600_000);
  // One frame after the other, each after a probe, took 4,300 round trips.
  expect((clock.now() - startedAt) / 50).toBeLessThan(300);
  expect(writer.progress().retransmissions).toBeLessThan(800);
  await Promise.all([writer.halt(), reader.halt()]);
});

it.each([1, 2, 5, 20])("gets past %i frames in a row that the Map has forgotten", async (count) => {
  const clock = new VirtualClock();
  const transport = new ForgetfulTransport(clock, count);
  const secret = new Uint8Array(32).fill(8);
  const writer = Stream.listen(transport, secret, { clock });
  const bytes = new Uint8Array(9_000).map((_, at) => at);
  writer.end(bytes);
  // All of it is stored before anybody reads, as far as the writer was told.
  await clock.runPromise(writer.close(), 600_000);
  const reader = Stream.dial(transport, secret, { clock });
  reader.end();
  const chunks: Uint8Array[] = [];
  const reading = (async () => {
    for await (const chunk of reader) chunks.push(chunk);
  })();
  await clock.runPromise(reading, 600_000);
  expect(Buffer.concat(chunks).equals(Buffer.from(bytes))).toBe(true);
  await Promise.all([writer.halt(), reader.halt()]);
});
