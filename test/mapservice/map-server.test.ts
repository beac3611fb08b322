import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { LevelRecordStore, startMapServer } from "../../src/mapservice/index.ts";

it("leaves no folder in use when it is started with options that cannot be", async () => {
  const directory = await mkdtemp(join(tmpdir(), "culvert-map-server-"));
  const options = { listen: [], payloadSize: 40, directory };
  const wrong = [{ limits: { linksMax: 0 } }, { faults: { lose: 2, seed: 1 } }];
  for (const given of wrong) {
    await expect(startMapServer({ ...options, ...given })).rejects.toBeInstanceOf(RangeError);
  }
  const sizes = { payloadSize: 40, entriesMax: 10, bytesMax: 10_000 };
  const store = await LevelRecordStore.open({ ...sizes, path: join(directory, "records") });
  await store.close();
  await rm(directory, { recursive: true });
});
