import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import {
  LevelRecordStore,
  type MapRecord,
  MemoryRecordStore,
  type PutOutcome,
  type RecordStore,
} from "../../../src/mapservice/index.ts";

const START = 1_750_000_000_000;
const PAYLOAD_SIZE = 16;
const ADDRESSES = 12;
const ENTRIES_MAX = 9;

/** What an address should hold: the rule of docs/MAP.md, written down a second time. */
interface Held {
  readonly record: MapRecord;
  expiresMs: number;
}

function recordOf(address: number, content: number, seq: 1 | 2): MapRecord {
  const payload = seq === 2 ? new Uint8Array(0) : new SeededRandom(content).bytes(PAYLOAD_SIZE);
  return {
    address: new SeededRandom(1_000 + address).bytes(32),
    signature: new SeededRandom(content + 10 * seq).bytes(64),
    seq,
    ttlSeconds: 1,
    payload,
  };
}

const bucketEnd = (expiresMs: number): number => Math.ceil(expiresMs / 10_000) * 10_000;

/** Runs random operations on a store and on a map, and compares what they say. */
async function compare(
  seed: number,
  first: RecordStore,
  restart?: (store: RecordStore) => Promise<RecordStore>,
): Promise<RecordStore> {
  const random = new SeededRandom(seed);
  const model = new Map<number, Held>();
  const live = (address: number): Held | undefined => {
    const held = model.get(address);
    return held !== undefined && held.expiresMs > nowMs ? held : undefined;
  };
  const expectPut = (address: number, put: Held, outcome: PutOutcome | undefined): void => {
    const held = live(address);
    const isNewer = held !== undefined && put.record.seq > held.record.seq;
    const isSame =
      held !== undefined &&
      put.record.seq === held.record.seq &&
      Buffer.compare(put.record.payload, held.record.payload) === 0;
    if (held !== undefined && !isNewer && !isSame) {
      expect(outcome).toEqual({ kind: "conflict" });
    } else if (held !== undefined && isSame) {
      if (outcome?.kind !== "known") throw new Error(`known, not ${outcome?.kind}`);
      const enough = put.expiresMs - (put.expiresMs - nowMs) / 64;
      expect(outcome.expiresMs).toBeGreaterThanOrEqual(Math.max(held.expiresMs, enough));
      expect(outcome.expiresMs).toBeLessThanOrEqual(Math.max(held.expiresMs, put.expiresMs));
      held.expiresMs = outcome.expiresMs;
    } else if (outcome?.kind === "full") {
      // On disk a record takes its room until its bucket is over.
      const kept = [...model.values()].filter(({ expiresMs }) => bucketEnd(expiresMs) > nowMs);
      expect(held).toBeUndefined();
      expect(kept.length).toBeGreaterThanOrEqual(ENTRIES_MAX);
    } else {
      const expiresMs = Math.max(put.expiresMs, held?.expiresMs ?? 0);
      expect(outcome).toEqual({ kind: "stored", expiresMs });
      model.set(address, { record: put.record, expiresMs });
    }
  };
  let store = first;
  let nowMs = START;
  for (let step = 0; step < 400; step++) {
    const dice = random.below(100);
    if (dice < 55) {
      const batch = Array.from({ length: 1 + random.below(3) }, () => {
        const address = random.below(ADDRESSES);
        const record = recordOf(address, random.below(2), random.below(6) === 0 ? 2 : 1);
        return { address, record, expiresMs: nowMs + 1 + random.below(120_000) };
      });
      const outcomes = await store.put(batch, nowMs);
      for (const [i, put] of batch.entries()) {
        expectPut(put.address, { record: put.record, expiresMs: put.expiresMs }, outcomes[i]);
      }
    } else if (dice < 80) {
      const address = random.below(ADDRESSES);
      const found = await store.get(recordOf(address, 0, 1).address, nowMs);
      const held = live(address);
      expect(found?.record.payload).toEqual(held?.record.payload);
      expect([found?.record.seq, found?.expiresMs]).toEqual([held?.record.seq, held?.expiresMs]);
    } else if (dice < 90) {
      nowMs += random.below(40_000);
    } else if (dice < 98 || restart === undefined) {
      await store.sweep(nowMs, 1 + random.below(4));
    } else {
      store = await restart(store);
    }
  }
  while (!(await store.sweep(nowMs + 1e9, 5)).isDone);
  expect(store.statistics()).toMatchObject({ entries: 0, bytes: 0 });
  return store;
}

const SIZES = { payloadSize: PAYLOAD_SIZE, entriesMax: ENTRIES_MAX, bytesMax: 1e6 };

describe("a store does what the rule says, whatever comes", () => {
  test.each(Array.from({ length: 40 }, (_, seed) => seed))("in memory, seed %i", async (seed) => {
    await compare(seed, new MemoryRecordStore(SIZES));
  });

  test.each(Array.from({ length: 12 }, (_, seed) => seed))("on disk, seed %i", async (seed) => {
    const path = await mkdtemp(join(tmpdir(), "culvert-model-"));
    const open = (): Promise<LevelRecordStore> => LevelRecordStore.open({ path, ...SIZES });
    const last = await compare(seed, await open(), async (store) => {
      await store.close();
      return await open();
    });
    await last.close();
    await rm(path, { recursive: true });
  });
});
