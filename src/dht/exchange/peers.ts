import { type Instant, LruMap, type Random } from "../../base/index.ts";
import { RtoEstimator } from "../../retx/index.ts";
import type { DhtLimits } from "../limits.ts";
import type { KeyText } from "../wire/key.ts";

interface Peer {
  readonly roundTrip: RtoEstimator;
  /** How often in a row it was late, and has said nothing since. */
  lateness: number;
}

/** Broken promises of a node, forgiven by and by. */
interface Faults {
  readonly demerits: number;
  readonly blamedAt: Instant;
}

/** No answer is late earlier than this. */
const SOFT_MS_MIN = 10;
/** Late so often in a row, a node is silent. */
const LATENESS_MAX = 2;
/**
 * What a node that falls late adds to the share of those, and an answer takes from it: silence is
 * noticed within a few requests, and remembered for some more.
 */
const LATE_SHARE = { gain: 1 / 8, loss: 1 / 32 } as const;
/** From this share on nobody is relied on alone; one of forty late requests keeps it there. */
const LATE_SHARE_BORNE = 0.1;
/** With more demerits a node is trusted with nothing new: one is forgiven from the first moment. */
const DEMERITS_BORNE = 1;
/** After so long half of the demerits are forgiven. */
const FORGIVE_MS = 3_600_000;

/**
 * What a node has learned of others by asking them: how long they take, and whether they keep what
 * they promised. Who was not met lately is forgotten first; and apart from that, whose last fault
 * is the oldest, so that liars, of whom there may be any number, push out nobody but each other.
 */
export class Peers {
  readonly #peers: LruMap<KeyText, Peer>;
  readonly #faults: LruMap<KeyText, Faults>;
  /** Of all peers together: the guess for one that was never asked. */
  readonly #anybody: RtoEstimator;
  /** Of those that were asked lately, how many fell late. */
  #lateShare = 0;

  constructor(
    random: Random,
    limits: Pick<DhtLimits, "peersMax" | "rttInitialMs" | "hardTimeoutMs">,
  ) {
    const { peersMax, rttInitialMs, hardTimeoutMs } = limits;
    this.#peers = new LruMap(peersMax);
    this.#faults = new LruMap(peersMax);
    this.#anybody = new RtoEstimator({
      random,
      initialMs: rttInitialMs,
      minMs: Math.min(SOFT_MS_MIN, rttInitialMs),
      maxMs: hardTimeoutMs,
    });
  }

  get size(): number {
    return this.#peers.size;
  }

  /** The node has answered; after so long, where that is the way there and back and no more. */
  answered(key: KeyText, roundTripMs: number | undefined): void {
    const peer = this.#meet(key);
    peer.lateness = 0;
    this.#lateShare *= 1 - LATE_SHARE.loss;
    if (roundTripMs === undefined) return;
    this.#anybody.sample(roundTripMs);
    peer.roundTrip.sample(roundTripMs);
  }

  /** An answer of the node is late. */
  late(key: KeyText): void {
    const peer = this.#meet(key);
    // One that stays silent says nothing of the others.
    if (peer.lateness === 0) this.#lateShare += (1 - this.#lateShare) * LATE_SHARE.gain;
    peer.lateness += 1;
  }

  /** Whether so many of those that were asked lately fell late that the next one may as well. */
  get areManyLate(): boolean {
    return this.#lateShare > LATE_SHARE_BORNE;
  }

  /** Whether an answer of the node is late, and nothing was heard of it since. */
  isLate(key: KeyText): boolean {
    return (this.#peers.peek(key)?.lateness ?? 0) > 0;
  }

  /** Whether it is late again, after it was asked again. */
  isSilent(key: KeyText): boolean {
    return (this.#peers.peek(key)?.lateness ?? 0) >= LATENESS_MAX;
  }

  /**
   * After this an answer is late: by what the node itself took, or by what all took lately if that
   * is less. A node is asked seldom, and would be given for long what it took in a bad moment.
   */
  softTimeoutMs(key: KeyText): number {
    const peer = this.#peers.peek(key);
    const anybodyMs = this.#anybody.rtoMs();
    const isMeasured = peer?.roundTrip.meanMs !== undefined;
    return isMeasured ? Math.min(peer.roundTrip.rtoMs(), anybodyMs) : anybodyMs;
  }

  /** The node lied, or did not have what it had promised to keep. */
  blame(key: KeyText, now: Instant): void {
    this.#faults.set(key, { demerits: this.#demeritsAt(key, now) + 1, blamedAt: now });
  }

  /** Whether the node broke its word too often to be given anything new. */
  isDemoted(key: KeyText, now: Instant): boolean {
    return this.#demeritsAt(key, now) > DEMERITS_BORNE;
  }

  #demeritsAt(key: KeyText, now: Instant): number {
    const faults = this.#faults.peek(key);
    if (faults === undefined) return 0;
    return faults.demerits * 0.5 ** ((now - faults.blamedAt) / FORGIVE_MS);
  }

  #meet(key: KeyText): Peer {
    const known = this.#peers.get(key);
    if (known !== undefined) return known;
    const peer = { roundTrip: this.#anybody.another(), lateness: 0 };
    this.#peers.set(key, peer);
    return peer;
  }
}
