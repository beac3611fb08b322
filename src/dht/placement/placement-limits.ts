/** How records of the Map are spread over nodes. Times in milliseconds. */
export interface PlacementLimits {
  /** Nodes that keep a record: the closest live ones to its address. */
  readonly replicas: number;
  /** Receipts that make a put. */
  readonly quorum: number;
  /** Puts and gets at once; then `CULVERT_BUSY`. */
  readonly operationsMax: number;
  /** The first guess of a round trip to a node's Map. */
  readonly rttInitialMs: number;
  /** A node that has not answered by then has failed, beyond the wait that a get asks for. */
  readonly answerMs: number;
  /** One put in so many is audited. */
  readonly auditEvery: number;
  /** An audit comes this long after its put at the latest. */
  readonly auditMs: number;
  /** Audits that wait for their time; then a put is not audited. */
  readonly auditsMax: number;
  /** Nodes whose speed is remembered. */
  readonly peersMax: number;
  /** Records of this node whose neighbourhood is watched; the first of them is forgotten. */
  readonly watchedMax: number;
  /** Between two looks at a record's neighbourhood. */
  readonly watchMs: number;
}

/** With five replicas and a quorum of three, a record survives that 30 % of the nodes vanish. */
export const PLACEMENT_LIMITS: PlacementLimits = Object.freeze({
  replicas: 5,
  quorum: 3,
  operationsMax: 4_096,
  rttInitialMs: 500,
  answerMs: 15_000,
  auditEvery: 8,
  auditMs: 600_000,
  auditsMax: 1_024,
  peersMax: 512,
  watchedMax: 65_536,
  watchMs: 60_000,
});

/** The limits, with defaults for what is left out. */
export function resolvePlacementLimits(given: Partial<PlacementLimits> = {}): PlacementLimits {
  const limits = { ...PLACEMENT_LIMITS, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!(Number.isSafeInteger(value) && value > 0)) {
      throw new RangeError(`${name} must be a positive whole number, not ${value}`);
    }
  }
  if (limits.quorum > limits.replicas) throw new RangeError("quorum must not exceed replicas");
  return limits;
}
