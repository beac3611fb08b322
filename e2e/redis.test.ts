import { inspect } from "node:util";
import { RedisRecordStore } from "culvert/redis";
import { recordStoreCompliance } from "culvert/testing";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { equalBytes, isCulvertError, SeededRandom } from "../src/base/index.ts";
import { localCarrier, MapClient, MapService } from "../src/mapservice/index.ts";
import { eventually } from "../test/interop/eventually.ts";
import { hasRedis, makeCluster, RedisProcess } from "./redis-process.ts";

const isThere = await hasRedis();
if (!isThere) console.warn("redis-server is not installed: a Map on Redis is not tested");

const PAYLOAD = 40;
const NOW = 1_750_000_000_000;

let prefixes = 0;

/** A part of the engine that no other test uses. */
const freshPrefix = (): string => `test${prefixes++}`;

function cell(number: number) {
  const random = new SeededRandom(number);
  const [address, signature] = [random.bytes(32), random.bytes(64)];
  return { address, signature, seq: 1, ttlSeconds: 60, payload: random.bytes(PAYLOAD) } as const;
}

const KEYS = { writeSeed: new Uint8Array(32).fill(1) };
/** The numbers of the connections that a server has. */
async function connectionsOf(redis: RedisProcess): Promise<readonly string[]> {
  return ((await redis.cli("client", "list")).match(/^id=\d+/gm) ?? []).map(String);
}

const SIZES = { payloadSize: PAYLOAD, entriesMax: 10_000, bytesMax: 10_000_000 };

describe.runIf(isThere)("records in one Redis", () => {
  let redis: RedisProcess;
  beforeAll(async () => {
    redis = await RedisProcess.start();
  });
  afterAll(async () => {
    await redis[Symbol.asyncDispose]();
  });

  recordStoreCompliance(test, async ({ payloadSize, entriesMax }) => {
    const sizes = { payloadSize, entriesMax, bytesMax: 1_000_000 };
    const options = { ...sizes, urls: [redis.url], prefix: freshPrefix() };
    let store = await RedisRecordStore.open(options);
    return {
      store,
      restart: async () => {
        await store.close();
        store = await RedisRecordStore.open(options);
        return store;
      },
      teardown: () => store.close(),
    };
  });

  it("survive a kill -9 of the server, and fail with a code while it is away", async () => {
    const options = { ...SIZES, urls: [redis.url], prefix: freshPrefix() };
    const store = await RedisRecordStore.open(options);
    const puts = Array.from({ length: 100 }, (_, i) => ({
      record: cell(i),
      expiresMs: NOW + 60_000,
    }));
    await store.put(puts, NOW);
    await redis.kill();
    await expect(store.get(cell(1).address, NOW)).rejects.toMatchObject({
      code: "CULVERT_UNREACHABLE",
    });
    await redis.restart();
    const again = await RedisRecordStore.open(options);
    for (const { record } of puts) {
      expect((await again.get(record.address, NOW))?.record.payload).toEqual(record.payload);
    }
    expect(again.statistics().entries).toBe(100);
    await Promise.all([store.close(), again.close()]);
  });

  it("are all told of by a store that is opened again, in bounded steps", async () => {
    const options = { ...SIZES, urls: [redis.url], prefix: freshPrefix() };
    const store = await RedisRecordStore.open(options);
    // 64 partitions: more of each than one step has, and than Redis keeps without a hash table.
    const records = Array.from({ length: 3_000 }, (_, i) => {
      const { address, ...rest } = cell(i);
      if (i < 1_500) address[0] = 7;
      return { record: { ...rest, address }, expiresMs: NOW + 60_000 + i };
    });
    await store.put(records, NOW);
    await store.put([{ record: cell(9_999), expiresMs: NOW + 5 }], NOW);
    await store.close();
    const again = await RedisRecordStore.open(options);
    const held = new Map<string, number>();
    for await (const { address, expiresMs } of again.held(NOW + 10)) {
      held.set(Buffer.from(address).toString("hex"), expiresMs);
    }
    const expected = records.map(({ record, expiresMs }) => {
      return [Buffer.from(record.address).toString("hex"), expiresMs] as const;
    });
    expect(held).toEqual(new Map(expected));
    await again.close();
    await expect(again.held(NOW).next()).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
  });

  it("of another size are refused", async () => {
    const options = { ...SIZES, urls: [redis.url], prefix: freshPrefix() };
    await (await RedisRecordStore.open(options)).close();
    const other = RedisRecordStore.open({ ...options, payloadSize: PAYLOAD + 1 });
    await expect(other).rejects.toMatchObject({ code: "CULVERT_GEOMETRY_CHANGED" });
  });

  it("leave nothing in a client whose server hangs, and are there when it goes on", async () => {
    const options = { ...SIZES, urls: [redis.url], prefix: freshPrefix() };
    const others = await connectionsOf(redis);
    const store = await RedisRecordStore.open(options);
    const put = (number: number) =>
      store.put([{ record: cell(number), expiresMs: NOW + 60_000 }], NOW);
    await put(1);
    const own = (await connectionsOf(redis)).filter((id) => !others.includes(id));
    redis.freeze();
    await expect(put(2)).rejects.toMatchObject({ code: "CULVERT_UNREACHABLE" });
    redis.goOn();
    await eventually(async () => {
      const found = await store.get(cell(1).address, NOW).catch(() => undefined);
      return found?.record.payload;
    });
    // What waited in the old one went with it.
    for (const id of await connectionsOf(redis)) expect(own).not.toContain(id);
    expect((await put(3)).map(({ kind }) => kind)).toEqual(["stored"]);
    await store.close();
  }, 30_000);

  it("have a mark that all see, another one once some of them are lost", async () => {
    const prefix = freshPrefix();
    const options = { ...SIZES, urls: [redis.url], prefix };
    const store = await RedisRecordStore.open(options);
    await store.put([{ record: cell(1), expiresMs: NOW + 60_000 }], NOW);
    const first = store.mark;
    expect(first).toHaveLength(16);
    expect(await store.sweep(NOW, 100)).toEqual({ removed: 0, isDone: true });
    const other = await RedisRecordStore.open(options);
    expect([store.mark, other.mark]).toEqual([first, first]);
    const keys = (await redis.cli("--raw", "keys", `${prefix}{5}*`)).trim().split("\n");
    await redis.cli("del", ...keys);
    expect(await store.sweep(NOW, 100)).toEqual({ removed: 0, isDone: true, isBegunAnew: true });
    expect(store.mark).not.toEqual(first);
    expect(await store.sweep(NOW, 100)).toEqual({ removed: 0, isDone: true });
    await other.sweep(NOW, 100);
    expect(other.mark).toEqual(store.mark);
    await Promise.all([store.close(), other.close()]);
  });

  it("have another mark once the server is set back, and the same after a crash", async () => {
    const options = { ...SIZES, urls: [redis.url], prefix: freshPrefix() };
    const stores = [await RedisRecordStore.open(options), await RedisRecordStore.open(options)];
    const [store, other] = stores as [RedisRecordStore, RedisRecordStore];
    /** One sweep, after the server is there again. */
    const sweep = (of: RedisRecordStore) =>
      eventually(() => of.sweep(NOW, 100).catch(() => undefined));
    await redis.backUp();
    const first = store.mark;
    await store.put([{ record: cell(1), expiresMs: NOW + 60_000 }], NOW);
    for (let i = 0; i < 12; i++) await sweep(store);
    await redis.kill();
    await redis.restart();
    expect(await sweep(store)).toEqual({ removed: 0, isDone: true });
    await sweep(other);
    expect([store.mark, other.mark]).toEqual([first, first]);
    await redis.setBack();
    expect(await sweep(store)).toEqual({ removed: 0, isDone: true, isBegunAnew: true });
    const second = store.mark;
    expect(second).not.toEqual(first);
    expect(await sweep(other)).toEqual({ removed: 0, isDone: true, isBegunAnew: true });
    expect(await sweep(store)).toEqual({ removed: 0, isDone: true });
    expect([store.mark, other.mark]).toEqual([second, second]);
    expect(await store.get(cell(1).address, NOW)).toBeUndefined();
    await Promise.all(stores.map((one) => one.close()));
  }, 60_000);

  it("go to no server that was emptied, and taken for another size", async () => {
    const options = { ...SIZES, urls: [redis.url], prefix: freshPrefix() };
    const store = await RedisRecordStore.open(options);
    await redis.cli("flushall");
    const other = await RedisRecordStore.open({ ...options, payloadSize: PAYLOAD + 1 });
    const lost = { code: "CULVERT_GEOMETRY_CHANGED" };
    await expect(store.sweep(NOW, 100)).rejects.toMatchObject(lost);
    await expect(store.sweep(NOW, 100)).rejects.toMatchObject(lost);
    await Promise.all([store.close(), other.close()]);
  });

  it("are put again once the server has lost them, though they were put lately", async () => {
    const options = { ...SIZES, urls: [redis.url], prefix: freshPrefix() };
    const store = await RedisRecordStore.open(options);
    const service = new MapService({ store }, { sweepMs: 20 });
    const map = new MapClient(localCarrier(service)).bind(KEYS);
    const [id, payload] = [new Uint8Array(32).fill(2), new Uint8Array(PAYLOAD).fill(3)];
    await map.put(id, payload);
    const mark = store.mark;
    await redis.cli("flushall");
    await eventually(async () => !equalBytes(store.mark, mark) || undefined);
    // The service hears of it when the sweep that has seen it is over.
    await eventually(async () => {
      await map.put(id, payload);
      return store.statistics().entries === 1 || undefined;
    });
    await service.close();
  });

  it("are not given to a server that drops them when it is full", async () => {
    const options = { ...SIZES, urls: [redis.url], prefix: freshPrefix() };
    await redis.cli("config", "set", "maxmemory", "100mb");
    try {
      await (await RedisRecordStore.open(options)).close();
      await redis.cli("config", "set", "maxmemory-policy", "allkeys-lru");
      const dropping = RedisRecordStore.open(options);
      await expect(dropping).rejects.toMatchObject({ code: "CULVERT_USAGE" });
    } finally {
      await redis.cli("config", "set", "maxmemory-policy", "noeviction", "maxmemory", "0");
    }
  });

  it("are not kept where the password is wrong, which no error tells", async () => {
    await using locked = await RedisProcess.start("--requirepass", "right-word");
    const at = (word: string): string => `redis://:${word}@127.0.0.1:${locked.port}`;
    const refused = { code: "CULVERT_USAGE", message: expect.stringContaining("password") };
    const open = (...urls: string[]): Promise<RedisRecordStore> =>
      RedisRecordStore.open({ ...SIZES, urls });
    await expect(open(locked.url)).rejects.toMatchObject(refused);
    for (const urls of [[at("wrong-word")], [at("wrong-word"), at("wrong-word")]]) {
      const error: unknown = await open(...urls).catch((error: unknown) => error);
      expect(error).toMatchObject(refused);
      expect(inspect(error, { depth: 9 })).not.toContain("wrong-word");
    }
    const store = await open(at("right-word"));
    await locked.cli("-a", "right-word", "config", "set", "requirepass", "new-word");
    await locked.cli("-a", "new-word", "client", "kill", "type", "normal");
    const error: unknown = await eventually(async () => {
      const error: unknown = await store.sweep(NOW, 1).catch((error: unknown) => error);
      return isCulvertError(error, "CULVERT_USAGE") ? error : undefined;
    });
    expect(inspect(error, { depth: 9 })).not.toContain("right-word");
    await store.close();
  });

  it("are not kept where nothing answers, which is told with its reason", async () => {
    const opening = RedisRecordStore.open({ ...SIZES, urls: ["redis://127.0.0.1:1"] });
    await expect(opening).rejects.toMatchObject({
      code: "CULVERT_UNREACHABLE",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("are one set for two Maps in front of them", async () => {
    const options = { ...SIZES, urls: [redis.url], prefix: freshPrefix() };
    const stores = [await RedisRecordStore.open(options), await RedisRecordStore.open(options)];
    const other = { ...cell(1), payload: new Uint8Array(PAYLOAD) };
    const outcomes = await Promise.all(
      stores.map((store, i) =>
        store.put([{ record: i === 0 ? cell(1) : other, expiresMs: NOW + 9_000 }], NOW),
      ),
    );
    expect(
      outcomes
        .flat()
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(["conflict", "stored"]);
    await Promise.all(stores.map((store) => store.close()));
  });
});

describe.runIf(isThere)("records in a Redis Cluster", () => {
  let nodes: RedisProcess[] = [];
  beforeAll(async () => {
    const quick = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
    // A replica that was slow to stand for election would else be too old to do so ever after.
    quick.push("--cluster-replica-validity-factor", "0");
    nodes = await Promise.all(Array.from({ length: 6 }, () => RedisProcess.start(...quick)));
    await makeCluster(nodes);
  }, 60_000);
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()));
  });

  recordStoreCompliance(test, async ({ payloadSize, entriesMax }) => {
    const sizes = { payloadSize, entriesMax, bytesMax: 1_000_000 };
    const urls = nodes.slice(0, 3).map(({ url }) => url);
    const store = await RedisRecordStore.open({ ...sizes, urls, prefix: freshPrefix() });
    return { store, teardown: () => store.close() };
  });

  it("are there again when a replica has taken the place of a master", async () => {
    const urls = nodes.map(({ url }) => url);
    const store = await RedisRecordStore.open({ ...SIZES, urls, prefix: freshPrefix() });
    const records = Array.from({ length: 200 }, (_, i) => cell(i));
    await store.put(
      records.map((record) => ({ record, expiresMs: NOW + 600_000 })),
      NOW,
    );
    // Replication is asynchronous: a Map may lose the last writes, and these are not the last.
    expect(Number(await nodes[0]?.cli("wait", "1", "10000"))).toBe(1);
    await nodes[0]?.kill();
    const deadline = Date.now() + 60_000;
    let found = 0;
    while (found < records.length && Date.now() < deadline) {
      const answers = await Promise.allSettled(
        records.map(({ address }) => store.get(address, NOW)),
      );
      found = answers.filter((one) => one.status === "fulfilled" && one.value !== undefined).length;
    }
    expect(found).toBe(records.length);
    await store.close();
  }, 120_000);
});
