import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { toHex } from "../../../src/base/index.ts";
import { LevelRecordStore } from "../../../src/mapservice/index.ts";

it("has one mark for as long as the store on disk is the same", async () => {
  const folder = await mkdtemp(join(tmpdir(), "culvert-mark-"));
  const path = join(folder, "records");
  const markOf = async (): Promise<string> => {
    const sizes = { payloadSize: 40, entriesMax: 100, bytesMax: 100_000 };
    const store = await LevelRecordStore.open({ path, ...sizes });
    await store.close();
    return toHex(store.mark);
  };
  try {
    const first = await markOf();
    expect(first).toHaveLength(32);
    expect(await markOf()).toBe(first);
    await rm(path, { recursive: true });
    expect(await markOf()).not.toBe(first);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
