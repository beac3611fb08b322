import { expect, it } from "vitest";
import { CulvertError, SeededRandom, SILENT } from "../../../src/base/index.ts";
import { Contact } from "../../../src/dht/index.ts";
import { NodeIdentity } from "../../../src/identity/index.ts";
import {
  type MapRecord,
  MemoryRecordStore,
  type RecordStore,
  type RemoteMap,
} from "../../../src/mapservice/index.ts";
import { HandOver } from "../../../src/node/storage/hand-over.ts";
import { VirtualClock } from "../../../src/testing/index.ts";

const RECORDS = 10;
const AT = { carrier: "udp", host: "192.0.2.1", port: 7_000 } as const;

/** A store with records of an earlier run, that can be read as far as it is told each time. */
function storeReadTo(ends: number[], clock: VirtualClock): RecordStore {
  const store = new MemoryRecordStore({ payloadSize: 1, entriesMax: 1, bytesMax: 1_000 });
  return Object.assign(store, {
    async *held() {
      const end = ends.shift() ?? 0;
      for (let i = 0; i < RECORDS; i++) {
        if (i === end) throw new CulvertError("CULVERT_FILE");
        yield { address: new Uint8Array(32).fill(i), expiresMs: clock.unixMs() + 86_400_000 };
      }
    },
  });
}

function handOver(ends: number[], near: readonly Contact[] = []) {
  const clock = new VirtualClock();
  const handOver = new HandOver({
    store: storeReadTo(ends, clock),
    dht: { closestKnown: () => near, knowsAll: true, isDemoted: () => false },
    peers: { of: () => Promise.reject(new CulvertError("CULVERT_UNREACHABLE")) },
    self: new NodeIdentity(new Uint8Array(32).fill(1)).id,
    clock,
    random: new SeededRandom(1),
    log: SILENT,
  });
  return { clock, handOver };
}

it("watches all that was kept before, though the store fails while it is read", async () => {
  const { clock, handOver: handsOver } = handOver([3, 5, RECORDS]);
  handsOver.resume();
  await clock.runUntil(clock.now());
  expect(handsOver.counts.watched).toBe(3);
  await clock.runUntil(clock.now() + 300_000);
  expect(handsOver.counts.watched).toBe(RECORDS);
});

it("refuses a node that is no neighbour, or says what is no mark", () => {
  const { id } = new NodeIdentity(new Uint8Array(32).fill(2));
  const { handOver: handsOver } = handOver([0], [Contact.of(id, { addresses: [AT] })]);
  const mark = new Uint8Array(16);
  handsOver.heardNewStore(id, mark);
  const stranger = new NodeIdentity(new Uint8Array(32).fill(3)).id;
  expect(() => handsOver.heardNewStore(stranger, mark)).toThrow(
    expect.objectContaining({ code: "CULVERT_BUSY" }),
  );
  expect(() => handsOver.heardNewStore(id, mark.subarray(1))).toThrow(
    expect.objectContaining({ code: "CULVERT_PROTOCOL" }),
  );
  handsOver.close();
});

it("reads no store again once it is closed", async () => {
  const { clock, handOver: handsOver } = handOver([3]);
  handsOver.resume();
  await clock.runUntil(clock.now());
  handsOver.close();
  expect(clock.pending).toBe(0);
});

it("goes on watching a record that is stored again while it is read in vain", async () => {
  const clock = new VirtualClock();
  const { id } = new NodeIdentity(new Uint8Array(32).fill(2));
  let near: readonly Contact[] = [];
  let offered = 0;
  const put = async () => {
    offered += 1;
  };
  const store = new MemoryRecordStore({ payloadSize: 1, entriesMax: 1, bytesMax: 1_000 });
  const { get } = store;
  const handsOver = new HandOver({
    store,
    dht: { closestKnown: () => near, knowsAll: true, isDemoted: () => false },
    peers: { of: async () => ({ put }) as unknown as RemoteMap },
    self: new NodeIdentity(new Uint8Array(32).fill(1)).id,
    clock,
    random: new SeededRandom(1),
    log: SILENT,
  });
  const record: MapRecord = {
    ...{ address: new Uint8Array(32), signature: new Uint8Array(64), seq: 1, ttlSeconds: 0 },
    payload: Uint8Array.of(1),
  };
  const keep = () => {
    const expiresMs = clock.unixMs() + 86_400_000;
    return handsOver.store.put([{ record, expiresMs }], clock.unixMs());
  };
  await keep();
  Object.assign(store, {
    get: async () => {
      store.get = get;
      await keep();
      return undefined;
    },
  });
  near = [Contact.of(id, { addresses: [AT] })];
  await clock.runUntil(clock.now() + 300_000);
  expect([handsOver.counts.watched, offered]).toEqual([1, 1]);
  handsOver.close();
});

it.each([
  ["CULVERT_UNREACHABLE", true],
  ["CULVERT_CONFLICT", false],
] as const)("offers a record again at the next look after %s: %s", async (code, isAgain) => {
  const clock = new VirtualClock();
  const address = new Uint8Array(32);
  const store = new MemoryRecordStore({ payloadSize: 1, entriesMax: 1, bytesMax: 1_000 });
  const signature = new Uint8Array(64);
  const record: MapRecord = {
    address,
    signature,
    seq: 1,
    ttlSeconds: 0,
    payload: Uint8Array.of(1),
  };
  let offered = 0;
  const put = async (): Promise<never> => {
    offered += 1;
    throw new CulvertError(code);
  };
  const { id } = new NodeIdentity(new Uint8Array(32).fill(2));
  const at = { carrier: "udp", host: "192.0.2.1", port: 1 } as const;
  let near: readonly Contact[] = [];
  const handsOver = new HandOver({
    store,
    dht: { closestKnown: () => near, knowsAll: true, isDemoted: () => false },
    peers: { of: async () => ({ put }) as unknown as RemoteMap },
    self: new NodeIdentity(new Uint8Array(32).fill(1)).id,
    clock,
    random: new SeededRandom(1),
    log: SILENT,
  });
  const expiresMs = clock.unixMs() + 86_400_000;
  await handsOver.store.put([{ record, expiresMs }], clock.unixMs());
  near = [Contact.of(id, { addresses: [at] })];
  await clock.runUntil(clock.now() + 300_000);
  expect([offered > 0, offered > 1]).toEqual([true, isAgain]);
  handsOver.close();
});
