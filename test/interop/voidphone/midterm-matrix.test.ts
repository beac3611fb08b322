import { describe, expect, it } from "vitest";
import { fromHex, toHex, utf8 } from "../../../src/base/index.ts";
import type { StandalonePeer, VoidphoneApiClient } from "../../../src/voidphone/index.ts";
import { eventualBytes } from "../eventually.ts";
import { apiOf, ends, HOST, started } from "./loopback.ts";
import { MidtermPeer, midtermHash } from "./midterm-peer.ts";

const ROUNDS = 20;

async function midterm(
  options: { listsItself?: boolean; refuses?: string } = {},
): Promise<MidtermPeer> {
  const peer = await MidtermPeer.start(options);
  ends.push(() => peer.stop());
  return peer;
}

async function ours(): Promise<{ peer: StandalonePeer; api: VoidphoneApiClient }> {
  const peer = await started("midterm");
  return { peer, api: await apiOf(peer) };
}

/** One value from each side to the other, through their own APIs; nothing is found of nothing. */
async function exchange(
  round: number,
  sides: { readonly theirs: MidtermPeer; readonly api: VoidphoneApiClient },
): Promise<void> {
  const { theirs, api } = sides;
  const [toThem, toUs] = [`ours ${round} ${theirs.id}`, `theirs ${round} ${theirs.id}`];
  const long = new Uint8Array(3_900).fill(1 + round);
  api.put({ key: fromHex(midtermHash(toThem)), value: long, ttlSeconds: 600 });
  expect(await eventualBytes(() => theirs.get(midtermHash(toThem)))).toEqual(long);
  await theirs.put(midtermHash(toUs), Buffer.from(toUs), 600);
  expect(await eventualBytes(() => api.get(fromHex(midtermHash(toUs))))).toEqual(utf8(toUs));
  expect(await api.get(fromHex(midtermHash(`nobody ${round}`)))).toBeUndefined();
  expect(await theirs.get(midtermHash(`nobody ${round}`))).toBeUndefined();
}

describe("with a peer of the midterm report", () => {
  it.each([
    ["which names itself", true],
    ["which does not name itself", false],
  ])(`one joins it (%s), and exchanges values both ways in ${ROUNDS} rounds`, async (_how, own) => {
    for (let round = 0; round < ROUNDS; round++) {
      const theirs = await midterm({ listsItself: own });
      const { peer, api } = await ours();
      expect(await peer.network.join({ host: HOST, port: theirs.port })).toBe(1);
      // Nothing that we say tells it who we are: it has to be told where we are.
      await theirs.join(peer.self().port);
      await exchange(round, { theirs, api });
      expect([...theirs.values.keys()].length).toBeGreaterThan(1);
      expect(theirs.complaints).toEqual([]);
    }
  });

  it(`one is joined by it, and exchanges values both ways in ${ROUNDS} rounds`, async () => {
    const { peer, api } = await ours();
    const peers: MidtermPeer[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const theirs = await midterm();
      await theirs.join(peer.self().port);
      expect([...theirs.known.values()].map(({ id }) => id)).toContain(toHex(peer.self().id));
      expect(await theirs.ping(peer.self().port)).toBe(true);
      peers.push(theirs);
      await exchange(round, { theirs, api });
    }
    expect(peers.flatMap(({ complaints }) => complaints)).toEqual([]);
  });

  it("one puts what is not in its range elsewhere, and goes on with it", async () => {
    const [theirs, others] = [await midterm({ refuses: "01234567" }), await midterm()];
    await theirs.join(others.port);
    const { peer, api } = await ours();
    expect(await peer.network.join({ host: HOST, port: theirs.port })).toBe(2);
    for (let round = 0; round < ROUNDS; round++) {
      const key = midtermHash(`key ${round}`);
      const entry = { key: fromHex(key), value: utf8(`value ${round}`), ttlSeconds: 600 };
      const isTaken = !"01234567".includes(key.charAt(0));
      expect(await peer.network.store({ ...entry, replication: 20 })).toBe(isTaken ? 2 : 1);
      expect(theirs.values.has(key)).toBe(isTaken);
      expect(await api.get(entry.key)).toEqual(entry.value);
    }
    expect([...theirs.complaints, ...others.complaints]).toEqual([]);
  });

  it("two that know each other only through us find each other's values", async () => {
    const { peer } = await ours();
    const [first, second] = [await midterm(), await midterm()];
    for (const theirs of [first, second]) {
      await peer.network.join({ host: HOST, port: theirs.port });
      await theirs.join(peer.self().port);
    }
    expect(await first.put(midtermHash("k"), Buffer.from("v"), 600)).toBeGreaterThan(0);
    expect((await second.get(midtermHash("k")))?.toString()).toBe("v");
    expect([...second.known.values()].map(({ id }) => id)).toContain(first.id);
    expect([...first.complaints, ...second.complaints]).toEqual([]);
  });

  it("a value that it stored with a short life is gone when that is over", async () => {
    const { peer, api } = await ours();
    const theirs = await midterm();
    await theirs.join(peer.self().port);
    expect(await theirs.put(midtermHash("short"), Buffer.from("v"), 1)).toBe(1);
    await expect.poll(() => api.get(fromHex(midtermHash("short")))).toBeUndefined();
  });
});
