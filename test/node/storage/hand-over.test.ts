import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { CulvertError, SeededRandom, SILENT } from "../../../src/base/index.ts";
import { Contact, type DhtStatistics } from "../../../src/dht/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import {
  LevelRecordStore,
  type MapRecord,
  MemoryRecordStore,
  type RecordStore,
  type RemoteMap,
  SEQUENCE,
} from "../../../src/mapservice/index.ts";
import { HandOver } from "../../../src/node/storage/hand-over.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { settle } from "../../../src/testing/settle.ts";

const PAYLOAD_BYTES = 1_024;
const SIZES = { payloadSize: PAYLOAD_BYTES, entriesMax: 10_000, bytesMax: 2 ** 30 };
const WEEK_MS = 604_800_000;
const LOOK_MS = 100_000;

const idOf = (byte: number): Uint8Array => new NodeIdentity(new Uint8Array(32).fill(byte)).id;

function neighbour(byte: number): Contact {
  const address = { carrier: "udp", host: `198.51.${byte}.1`, port: 7_000 } as const;
  return Contact.of(idOf(byte), { addresses: [address] });
}

/** A node with this store; what it offers comes to `put`. */
function scene(store: RecordStore, put: (record: MapRecord) => Promise<void> = async () => {}) {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  let near: readonly Contact[] = [];
  const handOver = new HandOver({
    store,
    dht: {
      closestKnown: () => near,
      isDemoted: () => false,
      statistics: { nodesEstimated: 1_000 } as DhtStatistics,
    },
    peers: { of: async () => ({ put }) as unknown as RemoteMap },
    self: idOf(1),
    clock,
    random,
    log: SILENT,
  });
  return {
    clock,
    handOver,
    setNear: (...contacts: readonly Contact[]): void => {
      near = contacts;
    },
    pass: (ms: number): Promise<void> => clock.runUntil(clock.now() + ms),
    /** Keeps so many records, or this one again. */
    keep: async (count: number, address?: Uint8Array): Promise<void> => {
      const expiresMs = clock.unixMs() + WEEK_MS;
      const puts = Array.from({ length: count }, () => {
        const payload = new Uint8Array(PAYLOAD_BYTES);
        const rest = { signature: new Uint8Array(64), seq: SEQUENCE.cell, ttlSeconds: 0, payload };
        return { record: { address: address ?? random.bytes(32), ...rest }, expiresMs };
      });
      await handOver.store.put(puts, clock.unixMs());
    },
  };
}

/** A store with ten records of an earlier run, that can be read as far as it is told each time. */
function storeReadTo(ends: number[]): RecordStore {
  return Object.assign(new MemoryRecordStore(SIZES), {
    async *held(unixMs: number) {
      const end = ends.shift() ?? 0;
      for (let i = 0; i < 10; i++) {
        if (i === end) throw new CulvertError("CULVERT_FILE");
        yield { address: new Uint8Array(32).fill(i), expiresMs: unixMs + WEEK_MS };
      }
    },
  });
}

it("watches all that was kept before, though the store fails while it is read", async () => {
  const { handOver, pass } = scene(storeReadTo([3, 5, 10]));
  handOver.resume();
  await pass(0);
  expect(handOver.counts.watched).toBe(3);
  await pass(300_000);
  expect(handOver.counts.watched).toBe(10);
  handOver.close();
});

it("reads no store again once it is closed", async () => {
  const { clock, handOver, pass } = scene(storeReadTo([3]));
  handOver.resume();
  await pass(0);
  handOver.close();
  expect(clock.pending).toBe(0);
});

it("hands over what lies on disk since an earlier run, for the life that is left", async () => {
  const path = await mkdtemp(join(tmpdir(), "culvert-hand-over-"));
  onTestFinished(() => rm(path, { recursive: true }));
  const before = await LevelRecordStore.open({ path, ...SIZES });
  await scene(before).keep(20);
  await before.close();
  const store = await LevelRecordStore.open({ path, ...SIZES });
  const given: MapRecord[] = [];
  const { handOver, pass, setNear } = scene(store, async (record) => {
    given.push(record);
  });
  setNear(neighbour(2));
  handOver.resume();
  while (handOver.counts.watched < 20) await settle();
  await pass(LOOK_MS);
  while (handOver.counts.handedOver < 20) await settle();
  expect(new Set(given.map(({ address }) => String(address))).size).toBe(20);
  for (const { payload, ttlSeconds } of given) {
    expect(payload).toHaveLength(PAYLOAD_BYTES);
    expect(ttlSeconds).toBeGreaterThan((WEEK_MS - 2 * LOOK_MS) / 1_000);
    expect(ttlSeconds).toBeLessThan(WEEK_MS / 1_000);
  }
  handOver.close();
  await store.close();
});

it("refuses a node that is no neighbour, or says what is no mark", () => {
  const { handOver, setNear } = scene(new MemoryRecordStore(SIZES));
  setNear(neighbour(2));
  const mark = new Uint8Array(16);
  handOver.heardNewStore(idOf(2), mark);
  expect(() => handOver.heardNewStore(idOf(3), mark)).toThrow(
    expect.objectContaining({ code: "CULVERT_BUSY" }),
  );
  expect(() => handOver.heardNewStore(idOf(2), mark.subarray(1))).toThrow(
    expect.objectContaining({ code: "CULVERT_PROTOCOL" }),
  );
  handOver.close();
});

it("goes on watching a record that is stored again while it is read in vain", async () => {
  const store = new MemoryRecordStore(SIZES);
  const { handOver, keep, pass, setNear } = scene(store);
  await keep(1);
  const { get } = store;
  Object.assign(store, {
    get: async (address: Uint8Array) => {
      store.get = get;
      await keep(1, address);
      return undefined;
    },
  });
  setNear(neighbour(2));
  await pass(3 * LOOK_MS);
  expect(handOver.counts).toEqual({ watched: 1, handedOver: 1, failed: 0 });
  handOver.close();
});

it.each([
  ["CULVERT_UNREACHABLE", true],
  ["CULVERT_CONFLICT", false],
] as const)("offers a record again at the next look after %s: %s", async (code, isAgain) => {
  const { handOver, keep, pass, setNear } = scene(new MemoryRecordStore(SIZES), async () => {
    throw new CulvertError(code);
  });
  await keep(1);
  setNear(neighbour(2));
  await pass(3 * LOOK_MS);
  const { failed } = handOver.counts;
  expect([failed > 0, failed > 1]).toEqual([true, isAgain]);
  handOver.close();
});

it("reads and sends all it has a dozen times in two hours to one that comes and goes", async () => {
  const records = 1_500;
  const store = new MemoryRecordStore(SIZES);
  let [reads, bytes] = [0, 0];
  const { get } = store;
  const count = (...args: Parameters<typeof get>): ReturnType<typeof get> => {
    reads += 1;
    return get.apply(store, args);
  };
  const { handOver, keep, pass, setNear } = scene(
    Object.assign(store, { get: count }),
    (record) => {
      bytes += record.payload.length;
      return Promise.resolve();
    },
  );
  await keep(records);
  for (let minute = 0; minute < 120; minute++) {
    setNear(...(minute % 2 === 0 ? [neighbour(2)] : []));
    await pass(60_000);
  }
  expect(reads).toBeGreaterThan(4 * records);
  expect(reads).toBeLessThanOrEqual(12 * records);
  expect(bytes).toBe(reads * PAYLOAD_BYTES);
  handOver.close();
});
