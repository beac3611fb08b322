import { describe, test } from "vitest";
import { MemoryRecordStore } from "../../src/mapservice/index.ts";
import { recordStoreCompliance } from "../../src/testing/compliance/record-store.ts";

describe("records in memory", () => {
  recordStoreCompliance(test, async ({ payloadSize, entriesMax }) => {
    const store = new MemoryRecordStore({ payloadSize, entriesMax, bytesMax: 1_000_000 });
    return { store, teardown: () => store.close() };
  });
});
