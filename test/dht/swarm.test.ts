import { describe, expect, it } from "vitest";
import { equalBytes } from "../../src/base/index.ts";
import { crypto } from "../../src/crypto/index.ts";
import type { DhtInput, DhtValue, RecordRule } from "../../src/dht/index.ts";
import { sortByDistance } from "../../src/dht/table/closest.ts";
import { byteText } from "../../src/dht/wire/key.ts";
import { fillTables, growByJoining } from "../../src/testing/swarm/grow.ts";
import { Swarm, type SwarmNode, type SwarmOptions } from "../../src/testing/swarm/swarm.ts";

/** Records whose address is the hash of their bytes. */
const HASHED: RecordRule = (key, bytes) => {
  return equalBytes(crypto().sha256(bytes), key) ? 1 : undefined;
};

function grown(count: number, options: Partial<SwarmOptions> = {}): Swarm {
  const swarm = new Swarm({ seed: 11, recordRule: HASHED, ...options });
  growByJoining(swarm, count);
  swarm.advance(30_000);
  return swarm;
}

interface Kept {
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Puts so many records from random nodes, and waits until all replicas are there. */
function putRecords(swarm: Swarm, count: number): Kept[] {
  const kept = Array.from({ length: count }, () => {
    const bytes = swarm.random.bytes(200);
    const key = crypto().sha256(bytes);
    const value: DhtValue = { kind: "record", ttlSeconds: 86_400, bytes };
    const { result } = swarm.run(swarm.pick(), (operation) => {
      return { kind: "put", operation, key, value };
    });
    expect(result).toMatchObject({ kind: "put" });
    return { key, bytes };
  });
  swarm.advance(5_000);
  return kept;
}

/** A put of a random record. */
function draw(swarm: Swarm): Extract<DhtInput, { kind: "put" }> {
  const bytes = swarm.random.bytes(200);
  const value: DhtValue = { kind: "record", ttlSeconds: 86_400, bytes };
  return { kind: "put", operation: 0, key: crypto().sha256(bytes), value };
}

interface Tally {
  found: number;
  asked: number;
  hops: number;
}

/** Gets every record once from a random honest node; a wrong value fails the test. */
function getAll(swarm: Swarm, records: readonly Kept[], from = swarm.nodes): Tally {
  const tally = { found: 0, asked: 0, hops: 0 };
  const isAsker = (node: SwarmNode) => node.behaviour === undefined && from.includes(node);
  for (const { key, bytes } of records) {
    const { result } = swarm.run(swarm.pick(isAsker), (operation) => {
      return { kind: "get", operation, key, valueKind: "record" };
    });
    if (result?.kind !== "found") continue;
    expect(result.value.bytes).toEqual(bytes);
    tally.found += 1;
    tally.asked += result.asked;
    tally.hops += result.hops;
  }
  return tally;
}

describe("a network of real cores", () => {
  it("finds everything with one request, when all know all", () => {
    const swarm = grown(60, { isEncoded: true });
    const records = putRecords(swarm, 30);
    const { found, asked, hops } = getAll(swarm, records);
    expect(found).toBe(30);
    expect(asked / 30).toBeLessThanOrEqual(1.5);
    expect(hops / 30).toBeLessThanOrEqual(1.05);
  });

  it("puts without looking for anybody, when all know all", () => {
    const swarm = grown(60);
    for (const node of swarm.nodes.slice(0, 10)) {
      const before = node.core.statistics.exchangesSent;
      const { result } = swarm.run(node, (operation) => ({ ...draw(swarm), operation }));
      expect(result).toMatchObject({ kind: "put", refusals: [] });
      expect(node.core.statistics.exchangesSent - before).toBeLessThanOrEqual(20);
    }
  });

  it("takes nobody who has just joined for one who knows all", () => {
    const swarm = grown(60);
    const [newcomer] = growByJoining(swarm, 1, { everyMs: 0 });
    if (newcomer === undefined) throw new Error("somebody has joined");
    let knewAll = 0;
    for (let tick = 0; tick < 500; tick++) {
      swarm.advance(20);
      if (!newcomer.core.knowsAll) continue;
      knewAll += 1;
      expect(newcomer.core.contacts.length).toBeGreaterThan(45);
    }
    expect(knewAll).toBeGreaterThan(0);
  });

  it("finds most with one request, when most are known", () => {
    const all: Tally = { found: 0, asked: 0, hops: 0 };
    for (const seed of [1, 2, 3, 4]) {
      const swarm = grown(100, { seed });
      const records = putRecords(swarm, 10);
      const [newcomer] = growByJoining(swarm, 1, { everyMs: 1_300 });
      if (newcomer === undefined) throw new Error("somebody has joined");
      expect(newcomer.core.knowsAll).toBe(false);
      const { found, asked, hops } = getAll(swarm, records, [newcomer]);
      all.found += found;
      all.asked += asked;
      all.hops += hops;
    }
    expect(all.found).toBe(40);
    expect(all.asked / 40).toBeLessThanOrEqual(1.5);
    expect(all.hops / 40).toBeLessThanOrEqual(1.2);
  });

  it("comes to know everybody within seconds, where everybody is kept", () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const swarm = grown(100, { seed });
      const [joiner] = growByJoining(swarm, 1, { everyMs: 5_000 });
      expect(joiner?.core.contacts).toHaveLength(100);
    }
  });

  it("is sure of that within seconds, however the first neighbourhoods have scattered", () => {
    const swarm = grown(60);
    const joiners = growByJoining(swarm, 40, { everyMs: 100 });
    swarm.advance(20_000);
    // One in a hundred may doubt on; one in five did.
    expect(joiners.filter(({ core }) => !core.knowsAll).length).toBeLessThanOrEqual(1);
  });

  it("asks a node that owes an answer after the others, and keeps nothing at a silent one", () => {
    const swarm = grown(60);
    const [first, ...others] = swarm.nodes;
    const { key, value } = draw(swarm);
    const near = first?.core.closestKnown(key, 25).map((contact) => contact.key) ?? [];
    const asker = others.find(({ contact }) => !near.includes(contact.key));
    if (asker === undefined) throw new Error("somebody is far from the key");
    const [closest] = asker.core.closestKnown(key, 1);
    const silent = swarm.nodes.find(({ contact }) => contact.key === closest?.key);
    if (silent === undefined) throw new Error("the closest is one of them");
    swarm.stop(silent);
    const put = (): number => {
      const from = swarm.now;
      swarm.run(asker, (operation) => ({ kind: "put", operation, key, value, quorum: 20 }));
      return swarm.now - from;
    };
    const firstMs = put();
    // Now it is known to be silent, and the other twenty are asked at once.
    expect(put()).toBeLessThan(firstMs / 2);
    const { tookMs, result } = swarm.run(asker, (operation) => ({ kind: "get", operation, key }));
    expect(result).toMatchObject({ kind: "found", hops: 1 });
    expect(tookMs).toBeLessThan(250);
  });

  it("falls quiet when nothing is asked, though the buckets of all are full", () => {
    const limits = { wholeTableMax: 50, farBucketSize: 20, bucketSize: 8 };
    const swarm = new Swarm({ seed: 5, recordRule: HASHED, limits });
    for (let i = 0; i < 400; i++) swarm.add();
    fillTables(swarm, 20, 8);
    for (const node of swarm.nodes) swarm.tell(node, { kind: "start", bootstrap: [] });
    swarm.advance(120_000);
    for (let i = 0; i < 200; i++) {
      const target = swarm.random.bytes(32);
      swarm.run(swarm.pick(), (operation) => ({ kind: "find", operation, target, count: 8 }));
    }
    const before = swarm.messages;
    swarm.advance(60_000);
    // A node looks at one other in 15 s, and at one more for a newcomer: 4 messages each time.
    expect(swarm.messages - before).toBeLessThan((400 * 60 * 4) / 15);
  });

  it("puts from behind a NAT, whose tokens have to be asked for", () => {
    const swarm = grown(40);
    const [hidden] = growByJoining(swarm, 1, { add: () => swarm.add({ isHidden: true }) });
    if (hidden === undefined) throw new Error("one has joined");
    swarm.advance(30_000);
    const { result } = swarm.run(hidden, (operation) => ({ ...draw(swarm), operation }));
    expect(result).toMatchObject({ kind: "put", refusals: [] });
    expect(result?.kind === "put" ? result.stored : 0).toBeGreaterThanOrEqual(10);
  });

  it("keeps each value at twenty nodes", () => {
    const swarm = grown(60);
    putRecords(swarm, 10);
    const values = swarm.nodes.reduce((sum, { core }) => sum + core.statistics.values, 0);
    expect(values).toBe(200);
  });

  it("runs the same twice with one seed", () => {
    const run = (): number[] => {
      const swarm = grown(25, { loss: 0.1 });
      const { asked } = getAll(swarm, putRecords(swarm, 5));
      return [swarm.messages, swarm.now, asked];
    };
    expect(run()).toEqual(run());
  });

  it("finds what it kept when a tenth of all messages is lost", () => {
    const swarm = grown(50, { loss: 0.1 });
    const records = putRecords(swarm, 25);
    expect(getAll(swarm, records).found).toBe(25);
  });

  it("finds what it kept when half of the nodes stop in silence", () => {
    const swarm = grown(60);
    const records = putRecords(swarm, 25);
    for (const node of swarm.nodes) if (swarm.random.unit() < 0.5) swarm.stop(node);
    expect(getAll(swarm, records).found).toBe(25);
  });

  it("drops who is gone from the tables, by hard timeouts alone", () => {
    const swarm = grown(20);
    const gone = swarm.pick();
    swarm.stop(gone);
    swarm.advance(3_600_000);
    for (const { core, isAlive } of swarm.nodes) {
      if (isAlive) expect(core.contacts.map(({ key }) => key)).not.toContain(gone.contact.key);
    }
  });

  it("keeps nobody in its tables who lets nothing in", () => {
    const swarm = new Swarm({ seed: 3, recordRule: HASHED });
    growByJoining(swarm, 20);
    const hidden = growByJoining(swarm, 5, { add: () => swarm.add({ isHidden: true }) });
    swarm.advance(60_000);
    const unreachable = new Set(hidden.map(({ contact }) => contact.key));
    for (const { core } of swarm.nodes) {
      expect(core.contacts.filter(({ key }) => unreachable.has(key))).toEqual([]);
    }
    const records = putRecords(swarm, 5);
    expect(getAll(swarm, records, hidden).found).toBe(5);
  });
});

describe("keepers", () => {
  it("hand values over to nodes that come closer, and repair what was lost", () => {
    const swarm = grown(40);
    const records = putRecords(swarm, 20);
    const first = [...swarm.nodes];
    growByJoining(swarm, 40);
    swarm.advance(60_000);
    for (const node of first) swarm.stop(node);
    swarm.advance(60_000);
    expect(getAll(swarm, records).found).toBe(20);
  });

  it("find new keepers when half of them are gone", () => {
    const swarm = grown(60);
    const records = putRecords(swarm, 10);
    for (const node of swarm.nodes) if (swarm.random.unit() < 0.5) swarm.stop(node);
    swarm.advance(3_600_000);
    const alive = swarm.nodes.filter(({ isAlive }) => isAlive);
    const copies = alive.reduce((sum, { core }) => sum + core.statistics.values, 0);
    expect(copies / records.length).toBeGreaterThanOrEqual(Math.min(18, alive.length - 2));
  });

  it("let a value go when its time is over", () => {
    const swarm = grown(30);
    const value: DhtValue = { kind: "plain", ttlSeconds: 1_200, bytes: Uint8Array.of(1) };
    const key = swarm.random.bytes(32);
    swarm.run(swarm.pick(), (operation) => ({ kind: "put", operation, key, value }));
    const ask = () => {
      return swarm.run(swarm.pick(), (operation) => ({ kind: "get", operation, key })).result?.kind;
    };
    swarm.advance(1_100_000);
    expect(ask()).toBe("found");
    swarm.advance(101_000);
    expect(ask()).toBe("missing");
    expect(swarm.nodes.reduce((sum, { core }) => sum + core.statistics.values, 0)).toBe(0);
  });
});

describe("liars", () => {
  it("who press on a joiner do not cut it off while one node it begins with is honest", () => {
    const swarm = grown(60);
    const records = putRecords(swarm, 15);
    const honest = [...swarm.nodes];
    const liars = Array.from({ length: 80 }, () => swarm.add());
    const contacts = liars.map(({ contact }) => contact);
    for (const liar of liars) {
      liar.behaviour = (request) => {
        if (request.kind === "ping") return { kind: "pong" };
        return { kind: "nodes", contacts: contacts.slice(0, 20) };
      };
    }
    const joiner = swarm.add();
    for (const contact of contacts) swarm.tell(joiner, { kind: "met", contact });
    const bootstrap = [...contacts.slice(0, 2), ...honest.slice(0, 1).map((node) => node.contact)];
    swarm.tell(joiner, { kind: "start", bootstrap });
    swarm.advance(60_000);
    expect(getAll(swarm, records, [joiner]).found).toBe(15);
  });

  it("with false values and tables, a fifth of all, neither deceive nor hide", () => {
    const swarm = grown(80);
    const records = putRecords(swarm, 40);
    const liars = swarm.nodes.filter(() => swarm.random.unit() < 0.2);
    const contacts = liars.map(({ contact }) => contact);
    for (const [i, liar] of liars.entries()) {
      liar.behaviour = (request) => {
        if (request.kind !== "find-value") return undefined;
        if (i % 2 === 0) return { kind: "nodes", contacts: contacts.slice(0, 20) };
        return { kind: "value", value: { kind: "record", ttlSeconds: 9, bytes: request.key } };
      };
    }
    expect(getAll(swarm, records).found).toBe(40);
  });

  it("are asked once, even if nobody else was asked at first", () => {
    const swarm = grown(60);
    const [record] = putRecords(swarm, 1);
    if (record === undefined) throw new Error("one was put");
    const near = sortByDistance(
      byteText(record.key),
      swarm.nodes.map(({ contact }) => contact),
    ).slice(0, 25);
    const asker = swarm.nodes.find(({ contact }) => !near.includes(contact));
    const liar = swarm.nodes.find(({ contact }) => contact === near[0]);
    if (asker === undefined || liar === undefined) throw new Error("some are far, one is closest");
    let asked = 0;
    liar.behaviour = () => {
      asked += 1;
      return { kind: "value", value: { kind: "record", ttlSeconds: 9, bytes: record.key } };
    };
    expect(getAll(swarm, [record], [asker]).found).toBe(1);
    expect(asked).toBe(1);
  });

  it("who ground their ids around a key do not hold every copy of it", () => {
    // Nobody has looked for anything yet: the crowd is the first neighbourhood that is seen.
    const swarm = new Swarm({ seed: 11, recordRule: HASHED });
    for (let i = 0; i < 200; i++) swarm.add();
    fillTables(swarm, 400, 20);
    for (const node of swarm.nodes) swarm.tell(node, { kind: "start", bootstrap: [] });
    const bytes = swarm.random.bytes(200);
    const key = crypto().sha256(bytes);
    const crowd = Array.from({ length: 80 }, () => {
      const id = key.slice();
      id.set(swarm.random.bytes(28), 4);
      return swarm.add({ id });
    });
    const contacts = crowd.map(({ contact }) => contact);
    for (const liar of crowd) {
      liar.behaviour = (request) => {
        if (request.kind === "ping") return { kind: "pong" };
        if (request.kind === "store") return { kind: "stored", ttlSeconds: 86_400 };
        return { kind: "nodes", contacts: contacts.slice(0, 20) };
      };
    }
    for (const node of swarm.nodes) {
      for (const contact of contacts) swarm.tell(node, { kind: "met", contact });
    }
    const isHonest = ({ behaviour }: SwarmNode) => behaviour === undefined;
    const value: DhtValue = { kind: "record", ttlSeconds: 86_400, bytes };
    swarm.run(swarm.pick(isHonest), (operation) => ({ kind: "put", operation, key, value }));
    swarm.advance(5_000);
    expect(getAll(swarm, Array(10).fill({ key, bytes })).found).toBe(10);
  });

  it("are not asked to keep anything once they were caught twice", () => {
    const swarm = grown(20);
    const [node, liar] = [swarm.pick(), swarm.pick()];
    swarm.tell(node, { kind: "blame", id: liar.id });
    expect(node.core.isDemoted(liar.id, swarm.now)).toBe(false);
    swarm.tell(node, { kind: "blame", id: liar.id });
    expect(node.core.isDemoted(liar.id, swarm.now)).toBe(true);
    expect(node.core.isDemoted(liar.id, swarm.now + 3_600_000)).toBe(false);
  });

  it("are not asked for a while once they were caught twice within an hour", () => {
    const swarm = grown(20);
    const [node, liar] = [swarm.pick(), swarm.pick()];
    swarm.tell(node, { kind: "blame", id: liar.id });
    swarm.advance(3_600_000);
    expect(node.core.isDemoted(liar.id, swarm.now)).toBe(false);
    swarm.tell(node, { kind: "blame", id: liar.id });
    expect(node.core.isDemoted(liar.id, swarm.now)).toBe(true);
    expect(node.core.isDemoted(liar.id, swarm.now + 1_800_000)).toBe(true);
    expect(node.core.isDemoted(liar.id, swarm.now + 3_600_000)).toBe(false);
  });
});
