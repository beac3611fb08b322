import { describe, expect, test } from "vitest";
import {
  addressKey,
  type MapRecord,
  MemoryRecordStore,
  type RecordPut,
} from "../../../src/mapservice/index.ts";
import { recordStoreCompliance } from "../../../src/testing/compliance/record-store.ts";
import { recordOf, tombstoneOf } from "../fixtures.ts";

describe("records in memory", () => {
  recordStoreCompliance(test, async ({ payloadSize, entriesMax }) => {
    const store = new MemoryRecordStore({ payloadSize, entriesMax, bytesMax: 1_000_000 });
    return { store, teardown: () => store.close() };
  });

  test("take the memory that they count for, also where they are ends alone", async () => {
    const sizes = { payloadSize: 65_536, entriesMax: 10_000, bytesMax: 1_000_000 };
    const store = new MemoryRecordStore(sizes);
    const end = tombstoneOf(1);
    const puts = Array.from({ length: 2_000 }, (_, i) => {
      const address = Uint8Array.from({ length: 32 }, (_, at) => (at < 2 ? i >> (8 * at) : 0));
      return { record: { ...end, address }, expiresMs: 1_000 };
    });
    const before = process.memoryUsage().arrayBuffers;
    const outcomes = await store.put(puts, 0);
    expect(outcomes.every(({ kind }) => kind === "stored")).toBe(true);
    // Buffers of others may have gone meanwhile; slots of cells would be 130 MB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000);
    await store.close();
  });

  test("are replaced by their ends, and what a get gave stays", async () => {
    const payloadSize = 48;
    const store = new MemoryRecordStore({ payloadSize, entriesMax: 10, bytesMax: 10_000 });
    const put = (record: MapRecord) => store.put([{ record, expiresMs: 1_000 }], 0);
    await put(recordOf(1));
    const given = store.get(recordOf(1).address, 0);
    await put(tombstoneOf(1));
    await put(recordOf(2));
    expect(given?.record).toEqual(recordOf(1));
    expect(store.get(recordOf(1).address, 0)?.record).toEqual(tombstoneOf(1));
    expect(store.get(recordOf(2).address, 0)?.record).toEqual(recordOf(2));
    expect(store.statistics()).toMatchObject({ entries: 2, bytes: 101 + 149 });
    await store.sweep(1_000, 10);
    expect(store.statistics()).toMatchObject({ entries: 0, bytes: 0 });
    await store.close();
  });
});

/** Keeps the very bytes: records are handed over, and a store need not copy them. */
class KeepingStore extends MemoryRecordStore {
  override readonly sharesNoMemory = false;
  readonly #given = new Map<string, MapRecord>();

  override async put(puts: readonly RecordPut[], nowMs: number) {
    const outcomes = await super.put(puts, nowMs);
    for (const [at, { record }] of puts.entries()) {
      if (outcomes[at]?.kind === "stored") this.#given.set(addressKey(record.address), record);
    }
    return outcomes;
  }

  override get(address: Uint8Array, nowMs: number) {
    const held = super.get(address, nowMs);
    const record = this.#given.get(addressKey(address));
    return held === undefined || record === undefined ? undefined : { ...held, record };
  }
}

describe("records that a store keeps as they were handed over", () => {
  recordStoreCompliance(test, async ({ payloadSize, entriesMax }) => {
    const store = new KeepingStore({ payloadSize, entriesMax, bytesMax: 1_000_000 });
    return { store, teardown: () => store.close() };
  });
});
