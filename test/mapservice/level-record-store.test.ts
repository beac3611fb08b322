import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "vitest";
import { LevelRecordStore } from "../../src/mapservice/level-record-store.ts";
import { recordStoreCompliance } from "../../src/testing/compliance/record-store.ts";

describe("records on disk", () => {
  recordStoreCompliance(test, async ({ payloadSize, entriesMax }) => {
    const path = await mkdtemp(join(tmpdir(), "culvert-records-"));
    const open = (): Promise<LevelRecordStore> =>
      LevelRecordStore.open({ path, payloadSize, entriesMax, bytesMax: 1_000_000 });
    const opened = [await open()];
    const closeAll = async (): Promise<void> => {
      for (const store of opened.splice(0)) await store.close();
    };
    const [store] = opened;
    if (store === undefined) throw new Error("the store is open");
    return {
      store,
      // A process that dies lets go of its locks; real SIGKILLs are tried in e2e.
      restart: async () => {
        await closeAll();
        opened.push(await open());
        return opened[0] ?? store;
      },
      teardown: async () => {
        await closeAll();
        await rm(path, { recursive: true });
      },
    };
  });
});
