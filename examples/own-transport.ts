// A transport of your own, and how to know that it keeps the contract. This one remembers what it
// has read, so that a cell is fetched from the Map once.
import { transportCompliance } from "culvert/testing";
import {
  type GetOptions,
  MemoryTransport,
  type PutOptions,
  type Receipt,
  type Transport,
} from "culvert/transport";

class CachingTransport implements Transport {
  readonly payloadSize: number;
  readonly #inner: Transport;
  readonly #cells = new Map<string, Uint8Array>();

  constructor(inner: Transport) {
    this.payloadSize = inner.payloadSize;
    this.#inner = inner;
  }

  put(frameId: Uint8Array, cell: Uint8Array, options?: PutOptions): Promise<Receipt> {
    return this.#inner.put(frameId, cell, options);
  }

  async get(frameId: Uint8Array, options?: GetOptions): Promise<Uint8Array> {
    const key = frameId.join();
    const known = this.#cells.get(key);
    if (known !== undefined) return known.slice();
    const cell = await this.#inner.get(frameId, options);
    // What is returned belongs to the caller, who may write to it: keep a copy.
    this.#cells.set(key, cell.slice());
    return cell;
  }
}

const cases: { name: string; run: () => Promise<void> }[] = [];

transportCompliance(
  (name, run) => cases.push({ name, run }),
  async () => {
    const transport = new CachingTransport(new MemoryTransport());
    return {
      writer: transport,
      reader: transport,
      elapse: (promise) => promise,
      teardown: async () => {},
    };
  },
);

for (const { name, run } of cases) {
  await run();
  console.log(`ok: ${name}`);
}
