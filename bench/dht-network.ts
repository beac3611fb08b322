/** Networks for `dht-sim`, what is put into them and got out of them again. */
import { equalBytes } from "../src/base/index.ts";
import { crypto } from "../src/crypto/index.ts";
import type { DhtLimits, RecordRule } from "../src/dht/index.ts";
import {
  fillTables,
  growByJoining,
  Swarm,
  type SwarmNode,
  type SwarmOptions,
} from "../src/testing/index.ts";

/** A record whose address is the hash of its bytes: it proves itself as cheaply as can be. */
const HASHED: RecordRule = (key, bytes) => {
  return equalBytes(crypto().sha256(bytes), key) ? 1 : undefined;
};

/** Up to so many nodes join one by one; larger networks begin with the tables of a long life. */
const JOINED_MAX = 100;
/** From so many nodes on, tables have buckets; below, everybody knows everybody. */
const WHOLE_MAX = 2_000;

/** A value that was put. */
export interface Kept {
  readonly key: Uint8Array;
  readonly bytes: Uint8Array;
}

/** What a number of gets came to. */
export interface Gets {
  readonly success: number;
  /** Values that were not the ones that were put. */
  readonly wrong: number;
  readonly hopsMean: number;
  readonly hopsMedian: number;
  readonly askedMean: number;
  readonly msMedian: number;
  readonly ms95: number;
  readonly ms99: number;
}

export interface NetworkOptions extends Partial<SwarmOptions> {
  readonly nodes: number;
  /** Contacts of the far half; a network of 100,000 in one process has half of the default. */
  readonly farBucketSize?: number;
  readonly isJoined?: boolean;
  readonly limits?: Partial<DhtLimits>;
}

/** A network that runs, and has come to rest. */
export function network(options: NetworkOptions): Swarm {
  const { nodes, farBucketSize = 256, isJoined = nodes <= JOINED_MAX } = options;
  const isWhole = nodes <= WHOLE_MAX;
  // Bucketed tables are cut down early, so that filling one does not begin with everybody.
  const wholeTableMax = isWhole ? WHOLE_MAX : 250;
  const limits = { wholeTableMax, farBucketSize, peersMax: 64, ...options.limits };
  const swarm = new Swarm({ seed: 1, recordRule: HASHED, ...options, limits });
  if (isJoined) {
    growByJoining(swarm, nodes);
    swarm.advance(30_000);
    return swarm;
  }
  for (let i = 0; i < nodes; i++) swarm.add();
  fillTables(swarm, isWhole ? 2 * nodes : farBucketSize, 20);
  for (const node of swarm.nodes) swarm.tell(node, { kind: "start", bootstrap: [] });
  return swarm;
}

/** Puts so many records from random nodes, and lets the replicas come to rest. */
export function putAll(
  swarm: Swarm,
  count: number,
  options: { replicas?: number; from?: (node: SwarmNode) => boolean; keys?: Kept[] } = {},
): Kept[] {
  const { replicas, from, keys = Array.from({ length: count }, () => draw(swarm)) } = options;
  for (const { key, bytes } of keys) {
    const value = { kind: "record", ttlSeconds: 86_400, bytes } as const;
    swarm.run(swarm.pick(from), (operation) => {
      return { kind: "put", operation, key, value, ...(replicas && { replicas }) };
    });
  }
  swarm.advance(5_000);
  return keys;
}

/** A random record. */
export function draw(swarm: Swarm): Kept {
  const bytes = swarm.random.bytes(200);
  return { key: crypto().sha256(bytes), bytes };
}

/** Gets `count` of the records from random nodes, one after the other. */
export function getAll(
  swarm: Swarm,
  kept: readonly Kept[],
  count: number,
  from?: (node: SwarmNode) => boolean,
): Gets {
  const tally = { found: 0, wrong: 0, hops: [] as number[], asked: 0, ms: [] as number[] };
  for (let i = 0; i < count; i++) {
    const { key, bytes } = kept[i % kept.length] as Kept;
    const { result, tookMs } = swarm.run(swarm.pick(from), (operation) => {
      return { kind: "get", operation, key, valueKind: "record" };
    });
    if (result?.kind !== "found") continue;
    if (!equalBytes(result.value.bytes, bytes)) tally.wrong += 1;
    tally.found += 1;
    tally.asked += result.asked;
    tally.hops.push(result.hops);
    tally.ms.push(tookMs);
  }
  const { hops, ms } = tally;
  return {
    success: tally.found / count,
    wrong: tally.wrong,
    hopsMean: hops.reduce((sum, each) => sum + each, 0) / hops.length,
    hopsMedian: at(hops, 0.5),
    askedMean: tally.asked / tally.found,
    msMedian: at(ms, 0.5),
    ms95: at(ms, 0.95),
    ms99: at(ms, 0.99),
  };
}

/** Lets a share of the nodes stop in silence. */
export function vanish(swarm: Swarm, share: number): void {
  for (const node of swarm.nodes) if (swarm.random.unit() < share) swarm.stop(node);
}

function at(values: readonly number[], quantile: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * quantile)] ?? Number.NaN;
}
