import { describe, test } from "vitest";
import { MemoryJournalStore } from "../../../src/stream/saved/memory-journal.ts";
import { journalCompliance } from "../../../src/testing/compliance/journal.ts";

describe("journals in memory", () => {
  journalCompliance(test, async () => {
    const store = new MemoryJournalStore();
    return {
      store,
      restart: async () => {
        store.crash();
        return store;
      },
      teardown: async () => {},
    };
  });
});
