import { resolveLimits } from "../../base/index.ts";

/**
 * Every bound of a Map service. Sizes in bytes, times in the unit of the name. The "links" of some
 * names are askers.
 */
export interface MapLimits {
  /** Askers at once. Each costs some 2 KiB idle, and up to its queue. */
  readonly linksMax: number;
  /** Askers at once from one source: an address, or its network for IPv6. */
  readonly linksPerSourceMax: number;
  /** Requests of one asker that wait for their turn; more are answered `busy`. */
  readonly queuedPerLinkMax: number;
  /** Bytes of requests that wait for their turn, of all askers, who share them. */
  readonly queuedBytesMax: number;
  /** Bytes of records on their way to the store; more wait in the queues. */
  readonly committingBytesMax: number;
  /** Time for the store: after it a write, or a read, counts as hung, until it ends after all. */
  readonly storeMsMax: number;
  /** Gets of one asker that wait for a put, or have left their read behind; then `busy`. */
  readonly waitingPerLinkMax: number;
  /** The same of one source, whatever its askers: the others have places too. */
  readonly waitingPerSourceMax: number;
  /** Gets that wait, of all askers, and reads of the store. Each costs some 400 bytes. */
  readonly waitingMax: number;
  /** Gets that wait for one address: a put has to answer them all in one go. */
  readonly waitingPerAddressMax: number;
  /** The longest that a get may wait. */
  readonly waitMsMax: number;
  /** The longest life that is granted, while the store is at most half full. */
  readonly ttlSecondsMax: number;
  /** The life that is granted when the store is full but for expired records. */
  readonly ttlSecondsMin: number;
  /** Requests that one asker may make each second in the long run, and in one burst. */
  readonly requestsPerSecond: number;
  readonly requestsBurst: number;
  /** Bytes of requests that one asker may send each second in the long run, and in one burst. */
  readonly bytesPerSecond: number;
  readonly bytesBurst: number;
  /** New records of one source that may live at once, as a share of the store, once that fills. */
  readonly sourceShare: number;
  /** Sources whose share is remembered; the longest quiet one is forgotten first. */
  readonly sourcesMax: number;
  /** Records kept at hand, so that repeating their put or get costs neither a verify nor a read. */
  readonly recentBytesMax: number;
  /** Zero bits that a put must show when the store is full; 0 asks for no work ever. */
  readonly workBitsMax: number;
  /** Time between two sweeps, and records that one step of a sweep removes. */
  readonly sweepMs: number;
  readonly sweepStep: number;
}

/**
 * Tuned for a public node of one core and 300 MiB. An asker alone may use about half of what the
 * core can verify. Worst case of memory: queues 32 MiB, commits 8 MiB, recent records 8 MiB,
 * waiting gets 26 MiB.
 */
export const MAP_LIMITS: MapLimits = Object.freeze({
  linksMax: 1_024,
  linksPerSourceMax: 64,
  queuedPerLinkMax: 256,
  queuedBytesMax: 32 * 2 ** 20,
  committingBytesMax: 8 * 2 ** 20,
  storeMsMax: 10_000,
  waitingPerLinkMax: 1_024,
  waitingPerSourceMax: 16_384,
  waitingMax: 65_536,
  waitingPerAddressMax: 1_024,
  waitMsMax: 300_000,
  ttlSecondsMax: 7 * 24 * 3_600,
  ttlSecondsMin: 3_600,
  requestsPerSecond: 4_000,
  requestsBurst: 16_000,
  bytesPerSecond: 32 * 2 ** 20,
  bytesBurst: 64 * 2 ** 20,
  sourceShare: 1 / 4,
  sourcesMax: 4_096,
  recentBytesMax: 8 * 2 ** 20,
  workBitsMax: 0,
  sweepMs: 1_000,
  sweepStep: 1_024,
});

/** The limits with defaults for what is left out. */
export function resolveMapLimits(given: Partial<MapLimits> = {}): MapLimits {
  const limits = resolveLimits(MAP_LIMITS, given, "workBitsMax");
  if (limits.ttlSecondsMin > limits.ttlSecondsMax) {
    throw new RangeError("ttlSecondsMin must not exceed ttlSecondsMax");
  }
  if (limits.workBitsMax > 64) throw new RangeError("workBitsMax must not exceed 64");
  return limits;
}

/**
 * The longest life granted at a fill from 0 to 1: all of it up to half full, then on a straight
 * line down, so that a flood of new keys shortens lives before it refuses anybody.
 */
export function ttlCapSeconds(limits: MapLimits, fill: number): number {
  const { ttlSecondsMin, ttlSecondsMax } = limits;
  const room = Math.min(2 * (1 - fill), 1);
  return Math.floor(ttlSecondsMin + (ttlSecondsMax - ttlSecondsMin) * room);
}

/** The work asked for at a load from 0 to 1: none up to half, then bit by bit up to the limit. */
export function workBits(limits: MapLimits, load: number): number {
  return Math.round(limits.workBitsMax * Math.max(2 * load - 1, 0));
}
