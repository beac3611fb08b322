import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Level } from "level";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import {
  LevelRecordStore,
  type MapRecord,
  MemoryRecordStore,
  type PutOutcome,
  type RecordStore,
} from "../../../src/mapservice/index.ts";
import { AddressIndex } from "../../../src/mapservice/store/address-index.ts";
import { PAYLOAD_SIZE, recordOf } from "../fixtures.ts";

const NOW = 1_750_000_000_000;
const RECORD_BYTES = 101 + PAYLOAD_SIZE;
/** Room for three records, whatever the number says. */
const SIZES = { payloadSize: PAYLOAD_SIZE, entriesMax: 100, bytesMax: 3 * RECORD_BYTES };

async function openLevel(sizes = SIZES): Promise<RecordStore> {
  const path = await mkdtemp(join(tmpdir(), "culvert-records-"));
  const store = await LevelRecordStore.open({ path, ...sizes });
  onTestFinished(async () => {
    vi.restoreAllMocks();
    await store.close();
    await rm(path, { recursive: true });
  });
  return store;
}

async function putTo(store: RecordStore, record: MapRecord): Promise<PutOutcome | undefined> {
  return (await store.put([{ record, expiresMs: NOW + 1_000 }], NOW))[0];
}

describe.each([
  ["in memory", async () => new MemoryRecordStore(SIZES)],
  ["on disk", () => openLevel()],
])("the bytes of a store %s", (_, open) => {
  test("are bounded, and used again once what took them has expired", async () => {
    const store = await open();
    const kinds: unknown[] = [];
    for (const frame of [1, 2, 3, 4]) kinds.push((await putTo(store, recordOf(frame)))?.kind);
    expect(kinds).toEqual(["stored", "stored", "stored", "full"]);
    const later = NOW + 60_000;
    const put = { record: recordOf(4), expiresMs: later + 1_000 };
    expect(await store.put([put], later)).toMatchObject([{ kind: "stored" }]);
  });
});

describe("a store on disk", () => {
  test("tells addresses apart that fall together in its index", async () => {
    vi.spyOn(AddressIndex.prototype, "tagOf").mockReturnValue(7);
    const store = await openLevel();
    for (const frame of [1, 2]) expect((await putTo(store, recordOf(frame)))?.kind).toBe("stored");
    for (const frame of [1, 2]) {
      const { address, payload } = recordOf(frame);
      expect((await store.get(address, NOW))?.record.payload).toEqual(payload);
    }
    expect(await store.get(recordOf(3).address, NOW)).toBeUndefined();
  });

  test("has each write on its medium before it says that it is durable", async () => {
    const store = await openLevel();
    const given: unknown[] = [];
    const { batch } = Level.prototype;
    vi.spyOn(Level.prototype, "batch").mockImplementation(function (this: Level) {
      const chained = Reflect.apply(batch, this, []);
      const { write } = chained;
      chained.write = (...args: unknown[]) => {
        given.push(args[0]);
        return Reflect.apply(write, chained, args);
      };
      return chained;
    });
    await putTo(store, recordOf(1));
    expect(given).toEqual([{ sync: true }]);
  });
});
