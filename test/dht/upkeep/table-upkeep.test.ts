import { beforeAll, describe, expect, it } from "vitest";
import { SeededRandom } from "../../../src/base/index.ts";
import { DhtNodeCore } from "../../../src/dht/node/dht-node-core.ts";
import type { Contact } from "../../../src/dht/wire/contact.ts";
import { fillTables } from "../../../src/testing/swarm/grow.ts";
import { Swarm } from "../../../src/testing/swarm/swarm.ts";
import { effectsOf } from "../../effects-of.ts";
import { contactAt, keyWith, randomContacts } from "../nodes.ts";

const NODES = 200;
const MINUTE_MS = 60_000;

/** Nodes with full buckets that have lived for a while, and that nobody asks anything. */
function quietNetwork(): Swarm {
  const limits = { wholeTableMax: 50, farBucketSize: 40, bucketSize: 8, replicas: 8 };
  const swarm = new Swarm({ seed: 7, limits });
  for (let i = 0; i < NODES; i++) swarm.add();
  fillTables(swarm, 40, 8);
  for (const node of swarm.nodes) swarm.tell(node, { kind: "start", bootstrap: [] });
  return swarm;
}

/** Messages for each living node and minute. */
function rateOver(swarm: Swarm, minutes: number): number {
  const before = swarm.messages;
  swarm.advance(minutes * MINUTE_MS);
  return (swarm.messages - before) / minutes / swarm.nodes.filter((node) => node.isAlive).length;
}

/** The share of the dead among all that the living know, or among their closest so many. */
function deadShare(swarm: Swarm, closest?: number): number {
  const dead = new Set<string>();
  for (const { contact, isAlive } of swarm.nodes) if (!isAlive) dead.add(contact.key);
  const known = swarm.nodes.flatMap(({ core, id, isAlive }) => {
    if (!isAlive) return [];
    return closest === undefined ? core.contacts : core.closestKnown(id, closest);
  });
  return known.filter(({ key }) => dead.has(key)).length / known.length;
}

describe("the upkeep of a node whose buckets are full", () => {
  let swarm: Swarm;
  let quietRate: number;

  beforeAll(() => {
    swarm = quietNetwork();
    swarm.advance(20 * MINUTE_MS);
    quietRate = rateOver(swarm, 40);
  });

  it("costs little where nothing changes", () => {
    // 16 neighbours, each heard once in ten minutes: 1.6 messages, as being asked is being heard;
    // two lookups of some ten nodes in an hour: 0.7; one look at the rest in ten minutes: 0.2.
    expect(quietRate).toBeGreaterThan(0.5);
    expect(quietRate).toBeLessThan(4);
  });

  it("looks at its full pace once nodes are gone, and forgets them, neighbours first", () => {
    for (const [number, node] of swarm.nodes.entries()) if (number % 3 === 0) swarm.stop(node);
    const goneAtFirst = deadShare(swarm);
    expect(goneAtFirst).toBeGreaterThan(0.3);
    expect(rateOver(swarm, 20)).toBeGreaterThan(1.3 * quietRate);
    expect(deadShare(swarm, 8)).toBeLessThan(0.02);
    expect(deadShare(swarm)).toBeLessThan(0.8 * goneAtFirst);
  });

  it("falls quiet again", () => {
    // The last of them are found slowly: after one hour 2 to 6 % are left, by the seed.
    swarm.advance(160 * MINUTE_MS);
    expect(deadShare(swarm)).toBeLessThan(0.01);
    expect(rateOver(swarm, 20)).toBeLessThan(1.2 * quietRate);
  });
});

it("looks at the others while those not heard for longest are busy", () => {
  const random = new SeededRandom(1);
  const core = new DhtNodeCore({ id: random.bytes(32), random, unixMsAtZero: 0 });
  const known = randomContacts(2, 20);
  const busy = new Set(known.slice(0, 5).map(({ key }) => key));
  for (const [i, contact] of known.entries()) core.handle({ kind: "met", contact }, i);
  core.handle({ kind: "start", bootstrap: [] }, known.length);
  const end = 29 * MINUTE_MS;
  for (let now = known.length; now < end; now = Math.max(core.deadline(), now)) {
    core.timeout(now);
    for (const effect of effectsOf(core)) {
      if (effect.kind !== "send") continue;
      const { exchange, to } = effect;
      core.handle({ kind: "failed", exchange, isBusy: busy.has(to.key) }, now);
    }
  }
  expect(new Set(core.contacts.map(({ key }) => key))).toEqual(busy);
});

it("asks around once an hour where everybody is kept", () => {
  const random = new SeededRandom(1);
  const core = new DhtNodeCore({ id: random.bytes(32), random, unixMsAtZero: 0 });
  for (const contact of randomContacts(2, 20)) core.handle({ kind: "met", contact }, 0);
  core.handle({ kind: "start", bootstrap: [] }, 0);
  const asked = new Map<string, number>();
  for (let now = 0; now < 150 * MINUTE_MS; now = Math.max(core.deadline(), now)) {
    core.timeout(now);
    for (const effect of effectsOf(core)) {
      if (effect.kind !== "send") continue;
      const { exchange, attempt, request } = effect;
      const isFind = request.kind === "find-node";
      const response = isFind ? ({ kind: "nodes", contacts: [] } as const) : PONG;
      if (isFind) asked.set(`${request.target}`, (asked.get(`${request.target}`) ?? 0) + 1);
      core.handle({ kind: "response", exchange, attempt, response }, now);
    }
  }
  // A lookup asks many for one key. Whoever asks around asks each for another one: eight of them.
  const once = [...asked.values()].filter((times) => times === 1).length;
  expect(once).toBe(2 * 8);
});

const PONG = { kind: "pong" } as const;

it.each([true, false])("asks for a newcomer whether the quietest is there still: %s", (isThere) => {
  const limits = { wholeTableMax: 4, bucketSize: 2, farBucketSize: 2 };
  const random = new SeededRandom(1);
  const core = new DhtNodeCore({ id: new Uint8Array(32), random, unixMsAtZero: 0, limits });
  const met = Array.from({ length: 40 }, (_, i) => contactAt(keyWith(0x80 + i, i), `64.${i}.1.1`));
  const [first, rest] = [met.slice(0, 5), met.slice(5)];
  for (const [i, contact] of first.entries()) core.handle({ kind: "met", contact }, i);
  const now = 10 * MINUTE_MS;
  const isKnown = ({ key }: Contact) => core.contacts.some((contact) => contact.key === key);
  // Some draw a lot that takes a place at once.
  const newcomer = rest.find((contact) => {
    core.handle({ kind: "met", contact }, now);
    return !isKnown(contact);
  });
  const effect = core.poll();
  if (newcomer === undefined || effect?.kind !== "send") throw new Error("somebody is asked");
  const { exchange, attempt, to, request } = effect;
  expect([request.kind, core.poll(), isKnown(to), met.indexOf(to)]).toEqual([
    "ping",
    undefined,
    true,
    Math.min(...core.contacts.map((contact) => met.indexOf(contact))),
  ]);
  if (isThere)
    core.handle({ kind: "response", exchange, attempt, response: { kind: "pong" } }, now);
  else core.handle({ kind: "failed", exchange, isBusy: false }, now);
  expect([isKnown(to), isKnown(newcomer)]).toEqual([isThere, !isThere]);
});
