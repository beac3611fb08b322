import { describe, expect, test } from "vitest";
import { toHex, utf8 } from "../../../src/base/index.ts";
import { VOIDPHONE_NETWORK_LIMITS } from "../../../src/voidphone/index.ts";
import { PeerWorld } from "../peer-world.ts";

const entry = (key: Uint8Array, value = "v") => ({
  key,
  value: utf8(value),
  ttlSeconds: 60,
  replication: 20,
});

async function joined(options: { seed: number; peers: number; known?: number }) {
  const world = new PeerWorld({ known: 20, ...options });
  await world.run(world.network.join(world.any().contact));
  return world;
}

describe("a client of a foreign network", () => {
  test.each([1, 2, 3])("finds who is closest, and what is stored there (seed %i)", async (seed) => {
    const world = await joined({ seed, peers: 150 });
    for (let index = 0; index < 10; index++) {
      const key = world.random.bytes(32);
      const found = await world.run(world.network.find(key));
      const truth = world.closest(key, 20).map(({ contact }) => toHex(contact.id));
      const hits = found.filter(({ id }) => truth.includes(toHex(id)));
      expect(hits.length).toBeGreaterThanOrEqual(18);
      expect(await world.run(world.network.store(entry(key, `${index}`)))).toBe(20);
      expect(await world.run(world.network.get(key))).toEqual(utf8(`${index}`));
    }
    expect(await world.run(world.network.get(world.random.bytes(32)))).toBeUndefined();
    // One call at a time: that is all that these peers can take.
    expect(world.openMax).toBe(1);
    expect(world.clock.pending).toBe(0);
  });

  test("stores as many copies as are wished, where there are so many peers", async () => {
    const world = await joined({ seed: 18, peers: 30 });
    for (const replication of [1, 3, 255]) {
      const stored = { ...entry(world.random.bytes(32)), replication };
      const copies = Math.min(replication, 20);
      expect(await world.run(world.network.store(stored))).toBe(copies);
      const keepers = world.peers.filter(({ values }) => values.has(toHex(stored.key)));
      expect(keepers.length).toBe(copies);
    }
  });

  test("keeps to one call at a time to each peer when much is asked at once", async () => {
    const world = await joined({ seed: 4, peers: 5 });
    const keys = Array.from({ length: 30 }, () => world.random.bytes(32));
    const copies = await world.run(Promise.all(keys.map((key) => world.network.store(entry(key)))));
    expect(copies).toEqual(keys.map(() => 5));
    expect(world.openMax).toBe(1);
  });

  test("gets what is there when half of the peers are gone, silent, empty or lie", async () => {
    for (const nature of ["dead", "silent", "empty", "liar"] as const) {
      const world = await joined({ seed: 5, peers: 60 });
      const key = world.random.bytes(32);
      await world.run(world.network.store(entry(key)));
      for (const peer of world.peers) if (world.random.below(2) === 0) peer.nature = nature;
      expect(await world.run(world.network.get(key)), nature).toEqual(utf8("v"));
      expect(await world.run(world.network.store(entry(key))), nature).toBeGreaterThan(5);
      expect(world.clock.pending, nature).toBe(0);
    }
  });

  test("ends every operation in time when nobody answers any more", async () => {
    const world = await joined({ seed: 6, peers: 40 });
    for (const peer of world.peers) peer.nature = "silent";
    const { clock, network } = world;
    const before = clock.now();
    expect(await world.run(network.get(world.random.bytes(32)))).toBeUndefined();
    expect(await world.run(network.store(entry(world.random.bytes(32))))).toBe(0);
    expect(clock.now() - before).toBeLessThanOrEqual(2 * VOIDPHONE_NETWORK_LIMITS.operationMs);
    expect(clock.pending).toBe(0);
    expect(world.peers.every(({ open }) => open === 0)).toBe(true);
  });

  test("pings, and says when a network cannot be joined", async () => {
    const world = new PeerWorld({ seed: 7, peers: 3, known: 2 });
    const { contact } = world.any();
    expect(await world.run(world.network.ping(contact))).toBe(true);
    for (const peer of world.peers) peer.nature = "dead";
    expect(await world.run(world.network.ping(contact))).toBe(false);
    await expect(world.run(world.network.join(contact))).rejects.toMatchObject({
      code: "CULVERT_UNREACHABLE",
    });
  });

  test("never dials itself or nobody, whatever it is told", async () => {
    const world = await joined({ seed: 8, peers: 10 });
    for (const peer of world.peers) peer.nature = "liar";
    for (const port of [0, 1, 2]) {
      world.network.learn({ id: world.random.bytes(32), host: "10.0.0.1", port });
    }
    world.network.learn({ ...world.self, port: 77 });
    await world.run(world.network.find(world.random.bytes(32)));
    const known = world.network.closest(world.self.id, 1_000);
    expect(known.filter(({ host, port }) => host === "0.0.0.0" || port === 0)).toEqual([]);
    expect(known.filter(({ id }) => toHex(id) === toHex(world.self.id))).toEqual([]);
    expect(known.filter(({ host, port }) => host === "10.0.0.1" && port === 1)).toEqual([]);
  });

  test("names who speaks from an address now, not who answered there before", async () => {
    const world = await joined({ seed: 11, peers: 30 });
    const [known] = world.network.closest(world.self.id, 1);
    if (known === undefined) throw new Error("nobody is known");
    const fresh = { ...known, id: world.random.bytes(32) };
    world.network.learn(fresh);
    expect(world.network.closest(fresh.id, 1)).toEqual([fresh]);
    expect(world.network.closest(known.id, 1)).not.toEqual([known]);
  });

  test("finds those who are there now, not those whose ports they have taken", async () => {
    const world = await joined({ seed: 12, peers: 60 });
    for (const peer of world.peers) if (world.random.below(2) === 0) world.replace(peer);
    const found = await world.run(world.network.find(world.random.bytes(32)));
    expect(found.length).toBe(20);
    const isThere = new Set(world.peers.map(({ contact }) => toHex(contact.id)));
    expect(found.filter(({ id }) => !isThere.has(toHex(id)))).toEqual([]);
  });

  test("does not take an error for the word of who was there before", async () => {
    const world = await joined({ seed: 13, peers: 3 });
    const getting = world.network.get(world.random.bytes(32));
    for (const peer of world.peers) {
      peer.nature = "refusing";
      world.replace(peer);
      world.network.learn(peer.contact);
    }
    expect(await world.run(getting)).toBeUndefined();
    const known = world.network.closest(world.self.id, 9).map(({ id }) => toHex(id));
    expect(known.toSorted()).toEqual(
      world.peers.map(({ contact }) => toHex(contact.id)).toSorted(),
    );
  });

  test("is told by the peer that it joins who that is, and does not ask it twice", async () => {
    const world = new PeerWorld({ seed: 14, peers: 1, known: 1 });
    const { contact } = world.any();
    world.any().nature = "empty";
    expect(await world.run(world.network.join(contact))).toBe(1);
    expect(world.calls).toBe(1);
    expect(world.network.closest(contact.id, 9)).toEqual([contact]);
  });

  test.each(["peer.test", "::FFFF:10.0.0.2"])(
    "knows a peer once that it joins as %s",
    async (host) => {
      const world = new PeerWorld({ seed: 17, peers: 2, known: 2 });
      const { port } = world.any().contact;
      expect(await world.run(world.network.join({ host, port }))).toBe(2);
      const known = world.network.closest(world.self.id, 9).map((contact) => contact.host);
      expect(known).toEqual(["10.0.0.2", "10.0.0.2"]);
    },
  );

  test("has not joined when it had no time to ask, nor when it was asked by many", async () => {
    const world = new PeerWorld({ seed: 15, peers: 1, known: 1 });
    world.any().nature = "silent";
    const { contact } = world.any();
    const pings = Array.from({ length: 30 }, () => world.network.ping(contact));
    await expect(world.run(world.network.join(contact))).rejects.toMatchObject({
      code: "CULVERT_UNREACHABLE",
    });
    expect(await world.run(Promise.all(pings))).not.toContain(true);
  });

  test("gets from one peer as much at once as it may ask for", async () => {
    const world = await joined({ seed: 16, peers: 1, known: 1 });
    const key = world.random.bytes(32);
    await world.run(world.network.store(entry(key)));
    const gets = Array.from({ length: 64 }, () => world.network.get(key));
    expect(await world.run(Promise.all(gets))).toEqual(gets.map(() => utf8("v")));
    expect(world.openMax).toBe(1);
  });

  test.each([6, 8])("stores with those it found when half are silent (seed %i)", async (seed) => {
    const world = await joined({ seed, peers: 60 });
    const stored = entry(world.random.bytes(32));
    expect(await world.run(world.network.store(stored))).toBe(20);
    for (const peer of world.peers) if (world.random.below(2) === 0) peer.nature = "silent";
    const before = world.clock.now();
    const copies = await world.run(world.network.store(stored));
    expect(copies).toBeGreaterThan(9);
    expect(world.clock.now() - before).toBeLessThanOrEqual(VOIDPHONE_NETWORK_LIMITS.operationMs);
  });

  test("keeps who has answered when it is flooded with names", async () => {
    const world = await joined({ seed: 9, peers: 30 });
    const before = world.network.closest(world.self.id, 1_000);
    for (let index = 0; index < 5_000; index++) {
      world.network.learn({ id: world.random.bytes(32), host: "10.1.1.1", port: 1 + index });
    }
    const after = world.network.closest(world.self.id, 10_000);
    expect(after.length).toBeLessThanOrEqual(512);
    const isKnown = new Set(after.map(({ id }) => toHex(id)));
    expect(before.filter(({ id }) => isKnown.has(toHex(id))).length).toBeGreaterThanOrEqual(20);
  });

  test("gives up what is aborted, and hangs up", async () => {
    const world = await joined({ seed: 10, peers: 10 });
    for (const peer of world.peers) peer.nature = "silent";
    const controller = new AbortController();
    const aborted = world.network.get(world.random.bytes(32), { signal: controller.signal });
    const failed = expect(aborted).rejects.toMatchObject({ name: "AbortError" });
    controller.abort();
    await failed;
    await world.clock.runUntil(world.clock.now());
    expect(world.peers.filter(({ open }) => open > 0)).toEqual([]);
    const waiting = world.network.ping(world.any().contact);
    world.network.close();
    await expect(waiting).rejects.toMatchObject({ code: "CULVERT_CLOSED" });
  });

  test("refuses keys that are none, empty values and numbers that have no room", async () => {
    const world = await joined({ seed: 11, peers: 10 });
    const key = world.random.bytes(31);
    await expect(world.run(world.network.store(entry(key)))).rejects.toThrow(RangeError);
    await expect(world.run(world.network.get(key))).rejects.toThrow(RangeError);
    await expect(world.run(world.network.find(key))).rejects.toThrow(RangeError);
    expect(() => world.network.closest(key, 99)).toThrow(RangeError);
    const known = world.network.closest(world.self.id, 99);
    const whole = entry(world.random.bytes(32));
    for (const wrong of [
      { value: new Uint8Array(0) },
      { ttlSeconds: 0 },
      { ttlSeconds: 65_536 },
      { replication: 0 },
      { replication: 256 },
      { replication: 1.5 },
    ]) {
      const storing = world.network.store({ ...whole, ...wrong });
      await expect(world.run(storing)).rejects.toThrow(RangeError);
    }
    expect(world.network.closest(world.self.id, 99)).toEqual(known);
  });

  test("refuses values that these peers cut off, and more than it can do at once", async () => {
    const world = await joined({ seed: 11, peers: 10 });
    const key = world.random.bytes(32);
    const value = new Uint8Array(3_901);
    await expect(world.network.store({ ...entry(key), value })).rejects.toMatchObject({
      code: "CULVERT_TOO_LARGE",
    });
    const many = Array.from({ length: 65 }, () => world.network.find(key));
    const outcomes = await world.run(Promise.allSettled(many));
    expect(outcomes.filter(({ status }) => status === "rejected").length).toBe(1);
  });
});
