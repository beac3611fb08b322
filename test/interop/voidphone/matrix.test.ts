import { afterEach, describe, expect, it } from "vitest";
import { fromHex, toHex, utf8 } from "../../../src/base/index.ts";
import {
  callPeer,
  FINAL,
  peerCertificate,
  type StandaloneOptions,
  StandalonePeer,
  VoidphoneApiClient,
} from "../../../src/voidphone/index.ts";
import { eventualBytes } from "../eventually.ts";
import { hashOf, ShippedPeer } from "./shipped-peer.ts";

const ROUNDS = 20;
const HOST = "127.0.0.1";

const ends: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function shipped(port?: number): Promise<ShippedPeer> {
  const peer = await ShippedPeer.start(port);
  ends.push(() => peer.stop());
  return peer;
}

async function ours(
  options: Partial<StandaloneOptions> = {},
): Promise<{ peer: StandalonePeer; api: VoidphoneApiClient }> {
  const peer = await StandalonePeer.start({
    dialect: "final",
    p2p: { host: HOST, port: 0 },
    api: `${HOST}:0`,
    ...options,
  });
  const api = await VoidphoneApiClient.connect(peer.apiEndpoint ?? "");
  ends.push(
    () => peer.close(),
    () => api.close(),
  );
  return { peer, api };
}

/** One value from each side to the other, through their own APIs; what was stored is found. */
async function exchange(
  round: number,
  sides: { readonly theirs: ShippedPeer; readonly api: VoidphoneApiClient },
): Promise<void> {
  const { theirs, api } = sides;
  const [toThem, toUs] = [`ours ${round} ${theirs.id}`, `theirs ${round} ${theirs.id}`];
  const long = new Uint8Array(3_900 - 30).fill(round);
  api.put({ key: fromHex(hashOf(toThem)), value: long, ttlSeconds: 600 });
  expect(await eventualBytes(() => theirs.get(hashOf(toThem)))).toEqual(long);
  await theirs.put(hashOf(toUs), Buffer.from(toUs), 600);
  expect(await eventualBytes(() => api.get(fromHex(hashOf(toUs))))).toEqual(utf8(toUs));
  expect(await api.get(fromHex(hashOf(`nobody ${round}`)))).toBeUndefined();
}

describe("with the peer that was shipped", () => {
  it(`joins it, and exchanges values both ways in ${ROUNDS} rounds`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const theirs = await shipped();
      const { peer, api } = await ours();
      expect(await peer.network.join({ host: HOST, port: theirs.port })).toBe(1);
      await exchange(round, { theirs, api });
      expect(theirs.complaints).toEqual([]);
    }
  });

  it(`is joined by it, and exchanges values both ways in ${ROUNDS} rounds`, async () => {
    const { peer, api } = await ours();
    const peers: ShippedPeer[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const theirs = await shipped();
      await theirs.join(HOST, peer.self().port);
      expect([...theirs.known.values()].map(({ id }) => id)).toContain(toHex(peer.self().id));
      expect(peer.closest(fromHex(theirs.id), 1).map(({ id }) => toHex(id))).toEqual([theirs.id]);
      peers.push(theirs);
      await exchange(round, { theirs, api });
      // Some of those that are known are always gone.
      await peers[round - 2]?.stop();
    }
    expect(peers.flatMap(({ complaints }) => complaints)).toEqual([]);
  });

  it("is joined by one that has taken another's port, and names only the new one", async () => {
    const { peer, api } = await ours();
    const gone = await shipped();
    await gone.join(HOST, peer.self().port);
    await exchange(0, { theirs: gone, api });
    await gone.stop();
    const [theirs, another] = [await shipped(gone.port), await shipped()];
    await theirs.join(HOST, peer.self().port);
    await another.join(HOST, peer.self().port);
    expect([...another.known.values()].map(({ id }) => id)).not.toContain(gone.id);
    expect([...another.known.values()].map(({ id }) => id)).toContain(theirs.id);
    await exchange(1, { theirs, api });
    expect([...theirs.complaints, ...another.complaints]).toEqual([]);
  });

  it("is itself when it comes back with its id and its certificate, and only then", async () => {
    const theirs = await shipped();
    const id = fromHex(hashOf("ours"));
    const certificate = peerCertificate({ id, host: HOST });
    const first = await ours({ id, certificate });
    const p2p = { host: HOST, port: first.peer.self().port };
    await theirs.join(HOST, p2p.port);
    await first.peer.close();
    const second = await ours({ id, certificate, p2p });
    await exchange(0, { theirs, api: second.api });
    expect(theirs.complaints).toEqual([]);
    await second.peer.close();
    await ours({ id, p2p });
    await theirs.put(hashOf("k"), Buffer.from("v"), 600);
    expect(theirs.complaints).toContain("another certificate of a known node");
  });

  it("carries a value between two of them that know each other only through us", async () => {
    const { peer } = await ours();
    const [first, second] = [await shipped(), await shipped()];
    await first.join(HOST, peer.self().port);
    await second.join(HOST, peer.self().port);
    await first.put(hashOf("k"), Buffer.from("v"), 600);
    expect((await second.get(hashOf("k")))?.toString()).toBe("v");
    expect([...first.complaints, ...second.complaints]).toEqual([]);
  });
});

describe("the double of the shipped peer", () => {
  const stranger = { id: fromHex(hashOf("stranger")), port: 9 };
  const header = { rpcId: fromHex(hashOf("rpc")), sender: stranger };

  it("complains of a port that is not open", async () => {
    const theirs = await shipped();
    const to = { host: HOST, port: theirs.port };
    await callPeer(to, { kind: "ping", ...header }, { dialect: FINAL });
    await expect.poll(() => theirs.complaints).toEqual([expect.stringContaining("announced")]);
  });

  it("complains of a dial that does not wait for the last one", async () => {
    const [theirs, { peer }] = [await shipped(), await ours()];
    const to = { host: HOST, port: theirs.port };
    const { id, port } = peer.self();
    const ping = { kind: "ping", rpcId: header.rpcId, sender: { id, port } } as const;
    await Promise.all([1, 2, 3].map(() => callPeer(to, ping, { dialect: FINAL })));
    expect(theirs.complaints).toContain("dialled again before it had answered");
  });

  it("does not survive a message that is larger than its buffer", async () => {
    const theirs = await shipped();
    const to = { host: HOST, port: theirs.port };
    const entry = { key: stranger.id, value: new Uint8Array(4_000), ttlSeconds: 9 };
    await callPeer(to, { kind: "store", ...entry, ...header }, { dialect: FINAL });
    await expect.poll(() => theirs.complaints).toContainEqual(expect.stringContaining("4104"));
    expect(theirs.values.size).toBe(0);
  });
});
