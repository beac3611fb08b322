import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Level } from "level";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SeededRandom, toHex } from "../../../src/base/index.ts";
import {
  LevelRecordStore,
  type LevelRecordStoreOptions,
  type RecordPut,
  SEQUENCE,
} from "../../../src/mapservice/index.ts";
import { recordStoreCompliance } from "../../../src/testing/compliance/record-store.ts";

const NOW = 1_750_000_000_000;
const SIZES = { payloadSize: 40, entriesMax: 1_000_000, bytesMax: 1e9 };

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "culvert-records-"));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(path, { recursive: true });
});

const open = (options: Partial<LevelRecordStoreOptions> = {}): Promise<LevelRecordStore> =>
  LevelRecordStore.open({ path, ...SIZES, ...options });

type Raw = Level<Uint8Array, Uint8Array>;

/** Does something to the database of a store that is closed. */
async function raw<T>(work: (db: Raw) => Promise<T>): Promise<T> {
  const db: Raw = new Level(path, { keyEncoding: "view", valueEncoding: "view" });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

/** Closes a store and counts its values. */
async function valuesOf(store: LevelRecordStore): Promise<number> {
  await store.close();
  const range = { gte: Uint8Array.of(0x72), lt: Uint8Array.of(0x73) };
  return (await raw((db) => db.keys(range).all())).length;
}

/** From now on every write fails so. */
function failingWrites(message: string) {
  const { batch } = Level.prototype;
  return vi.spyOn(Level.prototype, "batch").mockImplementation(function (
    this: Level,
    operations?: unknown,
  ): ReturnType<typeof batch> {
    const chained = Reflect.apply(batch, this, []);
    chained.write = () => Promise.reject(new Error(message));
    // Given what to write, it is written at once.
    return operations === undefined ? chained : (chained.write() as never);
  });
}

function putOf(number: number, afterMs: number, payloadSize = SIZES.payloadSize): RecordPut {
  const random = new SeededRandom(number);
  const [address, signature] = [random.bytes(32), random.bytes(64)];
  const payload = random.bytes(payloadSize);
  const record = { address, signature, seq: SEQUENCE.cell, ttlSeconds: 1, payload };
  return { record, expiresMs: NOW + afterMs };
}

describe("records on disk", () => {
  recordStoreCompliance(test, async ({ payloadSize, entriesMax }) => {
    const opened: LevelRecordStore[] = [];
    const openOne = async (): Promise<LevelRecordStore> => {
      const store = await open({ payloadSize, entriesMax, bytesMax: 1e6 });
      opened.push(store);
      return store;
    };
    return {
      store: await openOne(),
      // A process that dies lets go of its locks; real SIGKILLs are tried in e2e.
      restart: async () => {
        await opened[0]?.close();
        return await openOne();
      },
      teardown: async () => {
        for (const store of opened) await store.close();
      },
    };
  });
});

describe("a store on disk", () => {
  test("tells what it holds from an earlier run, without what has expired", async () => {
    const first = await open();
    const puts = Array.from({ length: 600 }, (_, number) => putOf(number, 1_000 * (number + 1)));
    await first.put(puts, NOW);
    await first.close();
    const store = await open();
    const held = new Map<string, number>();
    for await (const { address, expiresMs } of store.held(NOW + 100_000)) {
      held.set(toHex(address), expiresMs);
    }
    const alive = puts
      .slice(100)
      .map(({ record, expiresMs }) => [toHex(record.address), expiresMs]);
    expect(held.size).toBe(500);
    expect(Object.fromEntries(held)).toEqual(Object.fromEntries(alive));
    await store.close();
  });

  test("that is closed while it tells what it holds says so in our terms", async () => {
    const store = await open();
    const puts = Array.from({ length: 2_000 }, (_, number) => putOf(number, 60_000));
    await store.put(puts, NOW);
    const read = async (): Promise<void> => {
      for await (const _ of store.held(NOW)) await store.close();
    };
    await expect(read()).rejects.toMatchObject({ name: "CulvertError", code: "CULVERT_FILE" });
  });

  test("is held by one process, in a folder that nobody else may look into", async () => {
    const store = await open({ path: join(path, "deep", "er") });
    const second = open({ path: join(path, "deep", "er") });
    await expect(second).rejects.toMatchObject({ code: "CULVERT_STATE_IN_USE" });
    expect((await stat(join(path, "deep", "er"))).mode & 0o777).toBe(0o700);
    await store.close();
  });

  test("of another geometry is not opened", async () => {
    await (await open()).close();
    const other = open({ payloadSize: 41 });
    await expect(other).rejects.toMatchObject({
      code: "CULVERT_GEOMETRY_CHANGED",
      message: "the store has cells of 40 bytes, not of 41",
      detail: { stored: 40, asked: 41 },
    });
  });

  test.each([
    ["CURRENT", (file: string) => writeFile(file, "nonsense\n")],
    ["MANIFEST", (file: string) => rm(file)],
    ["MANIFEST", (file: string) => writeFile(file, "nonsense")],
    ["ldb", (file: string) => rm(file)],
    ["ldb", (file: string) => writeFile(file, "")],
  ])("whose %s is spoilt or gone is damaged, and named", async (kind, spoil) => {
    await (await open()).close();
    await (await open()).close(); // what is in the log is then in a table
    const file = (await readdir(path)).find((name) => name.includes(kind));
    await spoil(join(path, file ?? ""));
    await expect(open()).rejects.toMatchObject({
      code: "CULVERT_BAD_STATE",
      message: expect.stringContaining(path),
    });
  });

  test("that is none is an error of ours, and named", async () => {
    const file = join(path, "file");
    await writeFile(file, "");
    await expect(open({ path: file })).rejects.toMatchObject({
      code: "CULVERT_FILE",
      message: expect.stringContaining(file),
    });
  });

  test("of a version from the future, or with a spoilt index, says so", async () => {
    await (await open()).close();
    const db = new Level<Uint8Array, Uint8Array>(path, {
      keyEncoding: "view",
      valueEncoding: "view",
    });
    const head = await db.get(Uint8Array.of(0x68));
    await db.put(Uint8Array.of(0x69, 1), Uint8Array.of(1));
    await db.close();
    await expect(open()).rejects.toMatchObject({ code: "CULVERT_BAD_STATE" });
    await db.open();
    await db.del(Uint8Array.of(0x69, 1));
    head[0] = 9;
    await db.put(Uint8Array.of(0x68), head);
    await db.close();
    await expect(open()).rejects.toThrow(`the store in ${path} is of another version of Culvert`);
  });

  test("with a spoilt record has no record there, and goes on", async () => {
    const store = await open();
    await store.put([putOf(1, 60_000)], NOW);
    await store.put([putOf(2, 60_000)], NOW);
    await store.close();
    const db = new Level<Uint8Array, Uint8Array>(path, {
      keyEncoding: "view",
      valueEncoding: "view",
    });
    const [key] = await db
      .keys({ gte: Uint8Array.of(0x72) })
      .next()
      .then((first) => [first]);
    if (key === undefined) throw new Error("a record is there");
    await db.put(key, new Uint8Array(7));
    await db.close();
    const again = await open();
    expect(again.get(putOf(1, 0).record.address, NOW)).toBeUndefined();
    expect(again.get(putOf(2, 0).record.address, NOW)).toBeDefined();
    expect(await again.put([putOf(1, 60_000)], NOW)).toMatchObject([{ kind: "stored" }]);
    await again.close();
  });

  test("writes once for all puts that come together", async () => {
    const store = await open();
    const batch = vi.spyOn(Level.prototype, "batch");
    const puts = Array.from({ length: 50 }, (_, i) => store.put([putOf(i, 60_000)], NOW));
    await Promise.all(puts);
    expect(batch.mock.calls.length).toBe(1);
    await store.put([putOf(1, 60_000)], NOW);
    await store.close();
  });

  test("takes new records again after a write that failed", async () => {
    const store = await open();
    await store.put([putOf(1, 60_000)], NOW);
    const broken = failingWrites("IO error: No space left on device");
    const failed = store.put([putOf(2, 60_000)], NOW);
    await expect(failed).rejects.toMatchObject({ code: "CULVERT_FULL" });
    broken.mockRestore();
    // The engine takes nothing more after a failed write, until it is opened anew.
    const reopened = vi.spyOn(Level.prototype, "open");
    expect(await store.put([putOf(3, 60_000)], NOW)).toMatchObject([{ kind: "stored" }]);
    expect(store.get(putOf(1, 0).record.address, NOW)).toBeDefined();
    expect(store.get(putOf(2, 0).record.address, NOW)).toBeUndefined();
    expect(store.statistics().entries).toBe(2);
    expect(reopened).toHaveBeenCalledTimes(1);
    await store.close();
  });

  test("is opened anew before it takes new records when a sweep has failed", async () => {
    const store = await open();
    await store.put([putOf(1, 1_000), putOf(2, 600_000)], NOW);
    const later = NOW + 60_000;
    const broken = failingWrites("IO error: No space left on device");
    await expect(store.sweep(later, 10)).rejects.toMatchObject({ code: "CULVERT_FULL" });
    broken.mockRestore();
    // What was written of the log may be half of a line, and what comes behind it is lost.
    const reopened = vi.spyOn(Level.prototype, "open");
    expect(await store.put([putOf(3, 600_000)], later)).toMatchObject([{ kind: "stored" }]);
    expect(reopened).toHaveBeenCalledTimes(1);
    expect(store.statistics().entries).toBe(3);
    expect(await store.sweep(later, 10)).toEqual({ removed: 1, isDone: true });
    expect(store.statistics().entries).toBe(2);
    await store.close();
  });

  test("finishes a sweep that it is closed behind", async () => {
    const store = await open();
    await store.put([putOf(1, 1_000)], NOW);
    const swept = store.sweep(NOW + 60_000, 10);
    const closed = store.close();
    expect(await swept).toEqual({ removed: 1, isDone: true });
    await closed;
  });

  test("can be read when a write has failed and the disk has no room to open it anew", async () => {
    let reserve = 0;
    const options = {
      ...{ path, ...SIZES },
      get diskReserveBytes(): number {
        return reserve;
      },
    };
    const store = await LevelRecordStore.open(options);
    await store.put([putOf(1, 60_000)], NOW);
    const broken = failingWrites("IO error: No space left on device");
    const full = { code: "CULVERT_FULL" };
    await expect(store.put([putOf(2, 60_000)], NOW)).rejects.toMatchObject(full);
    broken.mockRestore();
    reserve = Number.MAX_SAFE_INTEGER;
    const closed = vi.spyOn(Level.prototype, "close");
    await expect(store.sweep(NOW, 10)).rejects.toMatchObject(full);
    await expect(store.put([putOf(2, 60_000)], NOW)).rejects.toMatchObject(full);
    expect(closed).not.toHaveBeenCalled();
    expect(store.get(putOf(1, 0).record.address, NOW)).toBeDefined();
    reserve = 0;
    expect(await store.put([putOf(2, 60_000)], NOW)).toMatchObject([{ kind: "stored" }]);
    await store.close();
  });

  test("has what was confirmed at every moment while it is opened anew", async () => {
    const store = await open();
    await store.put([putOf(1, 60_000)], NOW);
    const { iterator } = Level.prototype;
    const broken = failingWrites("IO error: input/output error");
    const failed = store.put([putOf(2, 60_000)], NOW);
    await expect(failed).rejects.toMatchObject({ code: "CULVERT_FILE" });
    broken.mockRestore();
    const seen: unknown[] = [];
    vi.spyOn(Level.prototype, "iterator").mockImplementation(function (
      this: Level,
      ...args: unknown[]
    ) {
      seen.push(store.get(putOf(1, 0).record.address, NOW)?.record.payload);
      seen.push(store.statistics().entries);
      return Reflect.apply(iterator, this, args);
    });
    await store.put([putOf(3, 60_000)], NOW);
    expect(seen).toEqual([putOf(1, 0).record.payload, 1]);
    await store.close();
  });

  test("keeps one copy of a record, however often its life is extended", async () => {
    const store = await open();
    for (let i = 1; i < 20; i++) await store.put([putOf(1, i * 60_000)], NOW);
    expect(await valuesOf(store)).toBe(1);
    const again = await open();
    expect(again.statistics().entries).toBe(1);
    await again.close();
  });

  test("removes the value that records share when the last of them has moved", async () => {
    const store = await open();
    const numbers = [1, 2, 3];
    await store.put(
      numbers.map((number) => putOf(number, 60_000)),
      NOW,
    );
    await store.put([putOf(4, 60_000)], NOW);
    expect(await valuesOf(store)).toBe(2);
    let again = await open();
    await again.put([putOf(1, 600_000)], NOW);
    expect(await valuesOf(again)).toBe(3);
    again = await open();
    await again.put([putOf(2, 600_000), putOf(3, 600_000)], NOW);
    for (const number of [...numbers, 4]) {
      const { record } = putOf(number, 0);
      expect(again.get(record.address, NOW)?.record).toEqual(record);
    }
    expect(await valuesOf(again)).toBe(3);
    again = await open();
    expect(again.statistics().entries).toBe(4);
    for (const number of numbers) {
      const held = again.get(putOf(number, 0).record.address, NOW + 500_000);
      expect(held?.record).toEqual(putOf(number, 0).record);
    }
    while (!(await again.sweep(NOW + 1_000_000, 1)).isDone);
    expect(again.statistics().entries).toBe(0);
    expect(await valuesOf(again)).toBe(0);
  });

  test("of the first version keeps a value for each record", async () => {
    await (await open()).close();
    const head = await raw((db) => db.get(Uint8Array.of(0x68)));
    const single = Uint8Array.of(1, ...head.subarray(1, 25));
    await raw((db) => db.put(Uint8Array.of(0x68), single));
    const store = await open();
    const puts = Array.from({ length: 20 }, (_, i) => putOf(i, 60_000));
    await store.put(puts, NOW);
    await store.put([putOf(1, 600_000)], NOW);
    expect(await valuesOf(store)).toBe(20);
    const again = await open();
    for (const { record } of puts) expect(again.get(record.address, NOW)?.record).toEqual(record);
    expect(again.statistics().entries).toBe(20);
    await again.close();
  });

  test("refuses new records while the disk has no room to spare", async () => {
    const store = await open({ diskReserveBytes: Number.MAX_SAFE_INTEGER });
    expect(store.statistics().isDiskFull).toBe(true);
    expect(await store.put([putOf(1, 60_000)], NOW)).toEqual([{ kind: "full" }]);
    await store.close();
  });

  test("that was given a lower limit keeps what it has, and takes nothing more", async () => {
    const store = await open();
    const puts = Array.from({ length: 3_000 }, (_, i) => putOf(i, 60_000));
    await store.put(puts, NOW);
    await store.close();
    const again = await open({ entriesMax: 10 });
    expect(again.statistics().entries).toBe(3_000);
    for (const { record } of puts) expect(again.get(record.address, NOW)).toBeDefined();
    expect(await again.put([putOf(9_999, 60_000)], NOW)).toEqual([{ kind: "full" }]);
    await again.close();
  });

  test("gives the disk back when records have expired", async () => {
    const payloadSize = 2_000;
    const store = await open({ payloadSize });
    const puts = Array.from({ length: 8_000 }, (_, i) =>
      putOf(i, i % 10 === 0 ? 86_400_000 : 60_000, payloadSize),
    );
    for (let at = 0; at < puts.length; at += 500) await store.put(puts.slice(at, at + 500), NOW);
    const later = NOW + 3_600_000;
    while (!(await store.sweep(later, 1_000)).isDone);
    expect(store.statistics().entries).toBe(800);
    const names = await readdir(path);
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(path, name))).size));
    const disk = sizes.reduce((sum, size) => sum + size, 0);
    expect(disk / store.statistics().bytes).toBeLessThan(1.2);
    for (let i = 0; i < 8_000; i += 10) {
      expect(store.get(putOf(i, 0, payloadSize).record.address, later)).toBeDefined();
    }
    await store.close();
  });
});
