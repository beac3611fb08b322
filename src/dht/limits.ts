/** Bounds and times of a DHT node. Times in milliseconds unless the name says otherwise. */
export interface DhtLimits {
  /** Nodes in a bucket, in a closest set and in an answer: Kademlia's k. */
  readonly bucketSize: number;
  /** Nodes kept of the far half of the network; half of that of the next quarter, and so on. */
  readonly farBucketSize: number;
  /** Up to so many nodes, everybody is kept and no bucket is ever full. */
  readonly wholeTableMax: number;
  /** Nodes remembered beside a full bucket, to take the place of one that is gone. */
  readonly replacementsMax: number;
  /** Nodes of one /24 or /56 in a bucket, and in a closest set. */
  readonly perNetworkMax: number;
  /** Peers of the VoidPhone dialects in the table: they can claim any id. */
  readonly claimedMax: number;
  /** Requests of one lookup at once: Kademlia's alpha. */
  readonly parallelism: number;
  /** Disjoint paths of a lookup that was lied to. */
  readonly pathsMax: number;
  /** Nodes that one lookup keeps in sight. */
  readonly candidatesMax: number;
  /** Nodes that one path of a lookup asks; then only some that it was told of early. */
  readonly askedPerPathMax: number;
  /** Answers that have to agree on a value which anybody may have changed. */
  readonly agreementMin: number;
  /** Nodes that a value is stored at. */
  readonly replicas: number;
  /** Stores in flight of one put. */
  readonly storesAtOnce: number;
  /** Operations that wait for an answer; then `CULVERT_BUSY`. */
  readonly operationsMax: number;
  /** Requests in flight, of all operations and upkeep; then the next one waits for its turn. */
  readonly exchangesMax: number;
  /** Peers whose round-trip time and rank is remembered. */
  readonly peersMax: number;
  /** The first guess of a round trip. */
  readonly rttInitialMs: number;
  /** After this an answer is no longer waited for, and the node leaves the table. */
  readonly hardTimeoutMs: number;
  /** A whole operation takes no longer. */
  readonly operationMs: number;
  /** Between two looks at the node that was not heard for longest. */
  readonly checkMs: number;
  /** A node heard within this time needs no look. */
  readonly freshMs: number;
  /** A bucket that nothing was looked up in for so long is refreshed. */
  readonly refreshMs: number;
  /** Between two nodes of hearsay that are asked whether they live; less while most answer. */
  readonly introduceMs: number;
  /** Nodes of hearsay that wait for it. */
  readonly introductionsMax: number;
  /** How often a node looks whether its values have enough keepers. */
  readonly repairMs: number;
  /** Hand-overs and repairs that wait for their turn. */
  readonly handOversMax: number;
  /** Life of a token that shows that a stranger's address is its own. */
  readonly tokenMs: number;
}

/**
 * Tuned for nodes on the open internet, a tenth of a second apart. Twenty replicas survive that
 * half of the nodes vanish at once; `farBucketSize` costs some 700 contacts in a network of
 * 100,000.
 */
export const DHT_LIMITS: DhtLimits = Object.freeze({
  bucketSize: 20,
  farBucketSize: 256,
  wholeTableMax: 2_000,
  replacementsMax: 8,
  perNetworkMax: 2,
  claimedMax: 64,
  parallelism: 3,
  pathsMax: 8,
  candidatesMax: 256,
  askedPerPathMax: 192,
  agreementMin: 3,
  replicas: 20,
  storesAtOnce: 20,
  operationsMax: 1_024,
  exchangesMax: 4_096,
  peersMax: 512,
  rttInitialMs: 500,
  hardTimeoutMs: 10_000,
  operationMs: 60_000,
  checkMs: 15_000,
  freshMs: 600_000,
  refreshMs: 3_600_000,
  introduceMs: 250,
  introductionsMax: 128,
  repairMs: 600_000,
  handOversMax: 1_024,
  tokenMs: 300_000,
});

/** The limits, with defaults for what is left out. */
export function resolveDhtLimits(given: Partial<DhtLimits> = DHT_LIMITS): DhtLimits {
  if (given === DHT_LIMITS) return DHT_LIMITS; // of many nodes in a process, one object
  const limits = { ...DHT_LIMITS, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!(Number.isSafeInteger(value) && value > 0)) {
      throw new RangeError(`${name} must be a positive whole number, not ${value}`);
    }
  }
  if (limits.hardTimeoutMs < limits.rttInitialMs) {
    throw new RangeError("hardTimeoutMs must not be below rttInitialMs");
  }
  return limits;
}
