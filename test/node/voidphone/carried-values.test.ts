import { describe, expect, it } from "vitest";
import { CulvertError, type Log, SeededRandom } from "../../../src/base/index.ts";
import { DhtNodeCore, type ValueLimits } from "../../../src/dht/index.ts";
import type { DhtAsker, DhtRequest, DhtResponse } from "../../../src/dht/wire/message.ts";
import { encodeRecord, type StoredRecord } from "../../../src/mapservice/index.ts";
import { VoidphoneValues } from "../../../src/node/voidphone/voidphone-values.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { randomContacts } from "../../dht/nodes.ts";
import { effectsOf } from "../../effects-of.ts";
import { PAYLOAD_SIZE, recordOf } from "../../mapservice/fixtures.ts";
import { KEY, RECORD } from "./unsigned-record.ts";

/** Values over what a real node keeps, and a network of which each put waits to be settled. */
function rig(
  around: { contacts?: number; held?: StoredRecord; values?: Partial<ValueLimits> } = {},
) {
  const { contacts = 1, held, values: valueLimits = {} } = around;
  const clock = new VirtualClock();
  const puts: { what: string; ttlSeconds: number; settle: (error?: Error) => void }[] = [];
  const told: string[] = [];
  const log: Log = (_level, event, { code } = {}) => told.push(`${event} ${code}`);
  const core = new DhtNodeCore({
    ...{ id: new Uint8Array(32), random: new SeededRandom(1), limits: {}, valueLimits },
    ...{ unixMsAtZero: clock.unixMs(), recordRule: () => 1 },
  });
  const answer = (request: DhtRequest, asker: DhtAsker): DhtResponse => {
    core.handle({ kind: "request", exchange: 1, asker, request }, clock.now());
    for (const effect of effectsOf(core)) if (effect.kind === "answer") return effect.response;
    throw new Error("no answer");
  };
  const values = new VoidphoneValues({
    payloadSize: PAYLOAD_SIZE,
    dht: {
      contacts: randomContacts(1, contacts),
      answer,
      get: async () => undefined,
      put: (key, value, options) => {
        const what = `${key[0]} ${value.bytes[0]} ${options?.replicas}`;
        return new Promise((resolve, reject) => {
          const settle = (error?: Error): void => {
            if (error === undefined) resolve({ stored: 1, ttlSeconds: 1, refusals: [] });
            else reject(error);
          };
          puts.push({ what, ttlSeconds: value.ttlSeconds, settle });
        });
      },
    },
    replicas: { get: () => Promise.reject(new CulvertError("CULVERT_NOT_FOUND")) },
    store: { get: () => held },
    clock,
    log,
  });
  const store = (value = Uint8Array.of(7), first = 1): Promise<string> => {
    const key = new Uint8Array(32).fill(first);
    return values.store({ key, value, ttlSeconds: 60, replication: 3, source: "192.0.2.1" });
  };
  return { clock, values, store, puts, told };
}

it("a peer's value is kept here, and carried to as many nodes as it is wanted on", async () => {
  const { values, store, puts } = rig();
  expect(await store()).toBe("stored");
  expect(await values.find(KEY)).toEqual(Uint8Array.of(7));
  expect(puts.map(({ what }) => what)).toEqual(["1 7 3"]);
});

it("a value that is not kept here is told to be none, and not carried", async () => {
  const { values, store, puts } = rig();
  expect(await store(new Uint8Array(70_000))).toBe("not-acceptable");
  expect([await values.find(KEY), puts]).toEqual([undefined, []]);
});

it.each([1, 65_535])("a value lives for %i s, here and where it is carried", async (ttlSeconds) => {
  const { clock, values, puts } = rig();
  const value = Uint8Array.of(7);
  const from = { key: KEY, value, ttlSeconds, replication: 3, source: "192.0.2.1" };
  await values.store(from);
  void values.put(from);
  expect(puts.map((put) => put.ttlSeconds)).toEqual([ttlSeconds, ttlSeconds]);
  await clock.runUntil(clock.now() + 1_000 * ttlSeconds - 1);
  expect(await values.find(KEY)).toEqual(value);
  await clock.runUntil(clock.now() + 1);
  expect(await values.find(KEY)).toBeUndefined();
});

it("a flood of one source takes the place of its own values", async () => {
  const { values } = rig({ contacts: 0, values: { plainMax: 8 } });
  const keyed = (first: number): Uint8Array => new Uint8Array(32).fill(first);
  const from = (source: string, first: number): Promise<string> => {
    const value = Uint8Array.of(first);
    return values.store({ key: keyed(first), value, ttlSeconds: 60, replication: 3, source });
  };
  for (const first of [1, 2, 3]) await from(`192.0.2.${first}`, first);
  for (let first = 10; first < 90; first++) await from("198.51.100.7", first);
  for (const first of [1, 2, 3]) {
    expect(await values.find(keyed(first))).toEqual(Uint8Array.of(first));
  }
  // And so it does for whoever comes later.
  expect(await from("192.0.2.4", 4)).toBe("stored");
});

it("values of peers are carried so many at once, however each of them ends", async () => {
  const { store, puts, told } = rig();
  const keys = Array.from({ length: 40 }, (_, at) => at);
  for (const at of keys) expect(await store(undefined, at)).toBe("stored");
  expect(puts).toHaveLength(32);
  puts[0]?.settle();
  puts[1]?.settle(new CulvertError("CULVERT_BUSY"));
  await new Promise(setImmediate);
  for (const at of keys) await store(undefined, 100 + at);
  expect(puts).toHaveLength(34);
  expect(told).toEqual(["value-not-carried CULVERT_BUSY"]);
});

it("a node alone carries nothing, and has room again at once", async () => {
  const { store, puts } = rig({ contacts: 0 });
  for (let at = 0; at < 40; at++) expect(await store(undefined, at)).toBe("stored");
  expect(puts).toEqual([]);
});

it("a record of the Map goes before a plain value, for as long as it has left", async () => {
  const held = { record: RECORD, expiresMs: new VirtualClock().unixMs() + 20_500 };
  const { values, store } = rig({ held });
  await store();
  expect(await values.find(KEY)).toEqual(encodeRecord({ ...RECORD, ttlSeconds: 20 }));
});

it("a client's value is put into every network, though one of them fails", async () => {
  const { values, puts, told } = rig();
  const stored: number[] = [];
  const networks = [new CulvertError("CULVERT_TOO_LARGE"), 2];
  for (const outcome of networks) {
    values.add({
      get: async () => undefined,
      store: async ({ value }) => {
        stored.push(value[0] ?? -1);
        if (typeof outcome !== "number") throw outcome;
        return outcome;
      },
    });
  }
  const value = Uint8Array.of(7);
  const put = values.put({ key: KEY, value, ttlSeconds: 60, replication: 3, source: "" });
  expect([stored, puts.map(({ what }) => what)]).toEqual([[7, 7], ["1 7 3"]]);
  puts[0]?.settle();
  await put;
  expect(told).toEqual(["value-not-stored CULVERT_TOO_LARGE"]);
  expect(await values.find(KEY)).toEqual(value);
});

it("a foreign network's value is found where we have none", async () => {
  const { values, clock } = rig();
  values.add({ get: () => Promise.reject(new Error("gone")), store: async () => 0 });
  values.add({ get: async () => Uint8Array.of(8), store: async () => 0 });
  const { signal } = new AbortController();
  expect(await clock.runPromise(values.get(KEY, { signal }))).toEqual(Uint8Array.of(8));
});

describe("a value that says that it is the record of its key", () => {
  const record = recordOf(1);
  const { address } = record;
  const signed = encodeRecord(record);
  const from = (value: Uint8Array, source = "192.0.2.1") => {
    return { key: address, value, ttlSeconds: 60, replication: 3, source };
  };
  const changed = (at: number): Uint8Array => signed.map((byte, i) => (i === at ? byte ^ 1 : byte));

  it("is stored when it is, and not when its signature is bad", async () => {
    const { values, puts } = rig();
    for (const at of [32, 95, signed.length - 1]) {
      expect(await values.store(from(changed(at)))).toBe("not-acceptable");
      await expect(values.put(from(changed(at)))).rejects.toMatchObject({
        code: "CULVERT_REFUSED",
      });
    }
    expect([await values.find(address), puts]).toEqual([undefined, []]);
    expect(await values.store(from(signed))).toBe("stored");
    // What is of another key, or another size, says nothing of the kind.
    expect(await values.store({ ...from(changed(0)), key: KEY })).toBe("stored");
    expect(await values.store(from(changed(40).subarray(1)))).toBe("stored");
  });

  it("is not verified without end", async () => {
    const { values, clock } = rig();
    for (let i = 0; i < 64; i++) await values.store(from(changed(40)));
    expect(await values.store(from(signed))).toBe("not-acceptable");
    expect(await values.store(from(signed, "192.0.2.2"))).toBe("stored");
    await clock.runUntil(clock.now() + 1_000);
    expect(await values.store(from(signed))).toBe("stored");
  });
});
