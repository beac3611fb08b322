/** Nodes that lie, for `dht-sim`. */
import { Contact, type DhtResponse, type KeyText } from "../src/dht/index.ts";
import { type Behaviour, publicHost, type Swarm, type SwarmNode } from "../src/testing/index.ts";

/** Contacts in a false answer. */
const TOLD = 20;

/** Tells of other hostile nodes alone, those closest to what was asked for. */
export function falseTables(hostile: readonly SwarmNode[]): Behaviour {
  const sorted = hostile.map(({ contact }) => contact).toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return (request) => {
    if (request.kind === "ping") return { kind: "pong" };
    if (request.kind === "store") return { kind: "stored", ttlSeconds: 1 };
    const target = request.kind === "find-node" ? request.target : request.near;
    return { kind: "nodes", contacts: neighbours(sorted, String.fromCharCode(...target)) };
  };
}

/** Tells of nodes that are not there, all of them next to what was asked for. */
function bogusContacts(swarm: Swarm): Behaviour {
  return (request) => {
    if (request.kind === "ping") return { kind: "pong" };
    if (request.kind === "store") return { kind: "stored", ttlSeconds: 1 };
    const target = request.kind === "find-node" ? request.target : request.near;
    const contacts = Array.from({ length: TOLD }, () => {
      const id = target.slice();
      id.set(swarm.random.bytes(29), 3);
      const host = publicHost(swarm.random.below(2 ** 21));
      return Contact.of(id, { addresses: [{ carrier: "udp", host, port: 9 }] });
    });
    return { kind: "nodes", contacts };
  };
}

/** Gives a value that was never put to whoever asks for one. */
function lyingValues(swarm: Swarm): Behaviour {
  return (request, honest): DhtResponse => {
    if (request.kind === "store") return { kind: "stored", ttlSeconds: 1 };
    if (request.kind !== "find-value") return honest();
    const bytes = swarm.random.bytes(200);
    return { kind: "value", value: { kind: "record", ttlSeconds: 60, bytes } };
  };
}

/** Says nothing at all. */
const SILENCE: Behaviour = () => undefined;

/** Makes a share of the nodes hostile, a quarter of them in each way. */
export function corrupt(swarm: Swarm, share: number): void {
  const hostile = swarm.nodes.filter(() => swarm.random.unit() < share);
  const ways = [falseTables(hostile), bogusContacts(swarm), lyingValues(swarm), SILENCE];
  for (const [i, node] of hostile.entries()) node.behaviour = ways[i % ways.length];
}

/**
 * So many hostile nodes with ids ground around a key, which tell of each other, take what is stored
 * and have nothing. Everybody close by has heard of them.
 */
export function surround(
  swarm: Swarm,
  key: Uint8Array,
  options: {
    readonly count: number;
    readonly sharedBytes: number;
    readonly hostOf: (i: number) => string;
  },
): SwarmNode[] {
  const crowd = Array.from({ length: options.count }, (_, i) => {
    const id = key.slice();
    id.set(swarm.random.bytes(32 - options.sharedBytes), options.sharedBytes);
    return swarm.add({ id, host: options.hostOf(i) });
  });
  const lie = falseTables(crowd);
  for (const sybil of crowd) sybil.behaviour = lie;
  for (const { core } of swarm.nodes) {
    for (const { contact } of crowd) core.handle({ kind: "met", contact }, swarm.now);
  }
  return crowd;
}

function neighbours(sorted: readonly Contact[], target: KeyText): Contact[] {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as Contact).key < target) low = middle + 1;
    else high = middle;
  }
  const from = Math.max(Math.min(low - TOLD / 2, sorted.length - TOLD), 0);
  return sorted.slice(from, from + TOLD);
}
