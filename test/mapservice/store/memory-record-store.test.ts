import { describe, test } from "vitest";
import {
  addressKey,
  type MapRecord,
  MemoryRecordStore,
  type RecordPut,
} from "../../../src/mapservice/index.ts";
import { recordStoreCompliance } from "../../../src/testing/compliance/record-store.ts";

describe("records in memory", () => {
  recordStoreCompliance(test, async ({ payloadSize, entriesMax }) => {
    const store = new MemoryRecordStore({ payloadSize, entriesMax, bytesMax: 1_000_000 });
    return { store, teardown: () => store.close() };
  });
});

/** Keeps the very bytes: records are handed over, and a store need not copy them. */
class KeepingStore extends MemoryRecordStore {
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
