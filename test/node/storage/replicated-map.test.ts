import { describe, expect, it } from "vitest";
import { CulvertError, type ErrorCode, SeededRandom, toHex } from "../../../src/base/index.ts";
import { crypto, SigningKey } from "../../../src/crypto/index.ts";
import { Contact, type DhtNode } from "../../../src/dht/index.ts";
import { type NodeId, nodeIdOf } from "../../../src/identity/index.ts";
import { type MapRecord, type RemoteMap, signReceipts } from "../../../src/mapservice/index.ts";
import type { MapPeers } from "../../../src/node/storage/map-links.ts";
import { ReplicatedMap } from "../../../src/node/storage/replicated-map.ts";
import { VirtualClock } from "../../../src/testing/index.ts";
import { recordOf } from "../../mapservice/fixtures.ts";

const WEEK_S = 7 * 24 * 3_600;

/** Tells of other bytes, and shows that record, or none. */
type Denier = { readonly shows: MapRecord | undefined };

/**
 * A Map of as many nodes as there are lives, each of which tells a week and signs for its life, or
 * denies every put.
 */
function mapOf(nodesSigning: readonly (number | Denier)[], isClockOff = false) {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const nodes = new Map<string, RemoteMap>();
  const blamed: NodeId[] = [];
  const contacts = nodesSigning.map((signed, i) => {
    const key = new SigningKey(random.bytes(32));
    const id = nodeIdOf(key.publicKey);
    const put = async ({ address, seq, payload }: MapRecord) => {
      if (typeof signed !== "number") throw remote("CULVERT_CONFLICT");
      const expiresMs = clock.unixMs() + 1_000 * signed;
      const claim = { address, seq, payloadHash: crypto().sha256(payload), expiresMs };
      return { ttlSeconds: WEEK_S, receipt: signReceipts([claim], key)[0] };
    };
    const get = async () => {
      if (typeof signed === "number" || !signed.shows) throw remote("CULVERT_NOT_FOUND");
      return signed.shows;
    };
    const greeting = { nodeKey: key.publicKey };
    nodes.set(toHex(id), { put, get, greeting } as unknown as RemoteMap);
    const host = `${11 + i}.1.1.1`;
    return Contact.of(id, { addresses: [{ carrier: "udp", host, port: 1 }] });
  });
  const peers = { of: async (id: NodeId) => nodes.get(toHex(id)) } as unknown as MapPeers;
  const dht = {
    knowsAll: true,
    statistics: { nodesEstimated: 1_000 },
    closestKnown: () => contacts,
    closest: async () => contacts,
    isDemoted: () => false,
    blame: (id: NodeId) => blamed.push(id),
  } as unknown as DhtNode;
  const map = new ReplicatedMap(
    { dht, peers, clock, random, isClockOff: () => isClockOff },
    { payloadSize: 40 },
  );
  const payload = random.bytes(40);
  const [address, signature] = [random.bytes(32), random.bytes(64)];
  const record: MapRecord = { address, signature, seq: 1, ttlSeconds: WEEK_S, payload };
  return { clock, map, record, blamed };
}

it("counts no keeper whose receipt ends long before the life that it tells", async () => {
  const { clock, map, record, blamed } = mapOf([3_600, 3_600, WEEK_S, WEEK_S - 3_600, WEEK_S]);
  const { receipts, ttlSeconds } = await clock.runPromise(map.putForReceipts(record));
  expect(ttlSeconds).toBe(WEEK_S);
  const hours = receipts.map(({ receipt }) => (receipt.expiresMs - clock.unixMs()) / 3_600_000);
  expect(hours).toEqual([168, 167, 168]);
  expect(blamed).toHaveLength(2);
});

it("blames nobody, and puts all the same, where it is its own clock that is off", async () => {
  const early = WEEK_S - 3 * 3_600;
  const { clock, map, record, blamed } = mapOf([early, early, early, early, early], true);
  const { receipts, ttlSeconds } = await clock.runPromise(map.putForReceipts(record));
  expect([receipts.length, ttlSeconds]).toEqual([5, WEEK_S]);
  expect(blamed).toEqual([]);
});

it("gives each of two puts of one record, at once, its own receipts", async () => {
  const { clock, map, record } = mapOf([WEEK_S, WEEK_S, WEEK_S, WEEK_S, WEEK_S]);
  const both = Promise.all([map.putForReceipts(record), map.putForReceipts(record)]);
  const counts = (await clock.runPromise(both)).map(({ receipts }) => receipts.length);
  expect(counts).toEqual([expect.toSatisfy(isQuorum), expect.toSatisfy(isQuorum)]);
});

describe("keepers that tell of other bytes", () => {
  const record = recordOf(1, { content: 1 });
  const other = recordOf(1, { content: 2 });

  it.each<[string, MapRecord | undefined]>([
    ["none", undefined],
    ["those that are put", record],
    ["those of another address", recordOf(2, { content: 2 })],
    ["forged ones", { ...other, payload: recordOf(1, { content: 3 }).payload }],
  ])("are not believed when they show %s", async (_what, shows) => {
    const liar = { shows };
    const { clock, map } = mapOf([liar, WEEK_S, liar, WEEK_S, liar]);
    await expect(clock.runPromise(map.put(record))).rejects.toMatchObject({
      code: "CULVERT_PROTOCOL",
    });
    // Of more nodes others are asked in their place.
    const larger = mapOf([liar, WEEK_S, liar, WEEK_S, liar, WEEK_S]);
    expect(await larger.clock.runPromise(larger.map.put(record))).toEqual({ ttlSeconds: WEEK_S });
  });

  it("are believed when one of them shows those", async () => {
    const [liar, keeper] = [{ shows: undefined }, { shows: other }];
    const { clock, map } = mapOf([liar, WEEK_S, liar, WEEK_S, keeper]);
    await expect(clock.runPromise(map.put(record))).rejects.toMatchObject({
      code: "CULVERT_CONFLICT",
    });
  });
});

function remote(code: ErrorCode): CulvertError {
  return new CulvertError(code, undefined, { remote: true });
}

function isQuorum(receipts: number): boolean {
  return receipts >= 3 && receipts <= 5;
}
