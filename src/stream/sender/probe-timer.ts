import type { Instant } from "../../base/index.ts";
import { ackDelayMs } from "../acks/ack-delay.ts";
import type { Exchange } from "../exchange/exchange.ts";
import { INDEX_MAX } from "../frame/frame.ts";
import { DEFAULTS, type StreamOptions } from "../options.ts";

/**
 * Longest silence between two probes, in ms. Each one is a frame that has to be kept alive until
 * the peer is back: more of them cost an absent peer's writer more than they could ever tell it.
 */
const PROBE_MS_MAX = 24 * 3_600_000;

/** Room for probes and a reset beyond the frames that may be unacknowledged. */
export const FRAMES_BEYOND_LIMIT = 128;

/** Indexes from here on are kept back for a reset and the last probes. */
export const INDEX_LIMIT: number = INDEX_MAX - 256;

/** Behind so many frames that wait for its application no reader with defaults finds a probe. */
export const PROBES_REACH: number = DEFAULTS.unacknowledgedFramesMax + FRAMES_BEYOND_LIMIT;

/** A reader that has not answered so many probes was away. */
const AWAY_PROBES = 2;

/** Keeps the doubled delay finite. */
const DOUBLINGS_MAX = 24;

/** When a writer whose reader has fallen silent asks for a sign of life: at doubling gaps. */
export class ProbeTimer {
  readonly #options: StreamOptions;
  readonly #exchange: Exchange;
  #at: Instant = Number.POSITIVE_INFINITY;
  #doublings = 0;
  #unanswered = 0;
  #isAsking = false;
  /** Probes that the reader has not taken. */
  readonly #probes: Set<number>;

  /** `probes`: those of earlier sessions. */
  constructor(options: StreamOptions, exchange: Exchange, probes: readonly number[] = []) {
    this.#options = options;
    this.#exchange = exchange;
    this.#probes = new Set(probes);
  }

  /** How many probes the reader has not taken; as many as there is room for, if they are more. */
  get unread(): number {
    return Math.min(this.#probes.size, FRAMES_BEYOND_LIMIT);
  }

  /** What another session has to know. */
  save(): readonly number[] {
    return [...this.#probes].slice(-FRAMES_BEYOND_LIMIT);
  }

  /** This frame is a probe. */
  sealed(index: number): void {
    this.#probes.add(index);
  }

  get isArmed(): boolean {
    return this.#at !== Number.POSITIVE_INFINITY;
  }

  get deadline(): Instant {
    return this.#at;
  }

  /** Something was sent since the reader was heard of: its silence means something. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Counts from `now` again: something was sent, or a probe was. */
  arm(now: Instant): void {
    this.#isAsking = true;
    this.#count(now);
  }

  /**
   * The reader was heard of: it owes no answer until it is asked again. One that was away for some
   * probes, and is back, is asked soon: it may lack what a Map has lost meanwhile.
   */
  heard(now: Instant): void {
    this.#isAsking = false;
    const wasAway = this.#unanswered >= AWAY_PROBES;
    this.#unanswered = 0;
    if (!wasAway) return;
    this.#doublings = 0;
    if (this.isArmed) this.#count(now);
  }

  /** Probes since the reader was heard of. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /**
   * It has frames that it had not, and taken those below `base`: the gaps are short again. A probe
   * that has arrived is no reason for the next one: a reader that cannot take more would be asked
   * as fast as it answers. One before the last is: the Map had lost it, and others as well.
   */
  arrived(indexes: readonly number[], base: number, now: Instant): void {
    const last = Math.max(...this.#probes);
    const isNews = indexes.some((index) => index < last || !this.#probes.has(index));
    for (const index of this.#probes) if (index < base) this.#probes.delete(index);
    if (!isNews) return;
    this.#doublings = 0;
    this.#count(now);
  }

  /** True once when it is due. */
  expire(now: Instant): boolean {
    if (now < this.#at) return false;
    this.disarm();
    this.#doublings += 1;
    this.#unanswered += 1;
    return true;
  }

  disarm(): void {
    this.#at = Number.POSITIVE_INFINITY;
  }

  #count(now: Instant): void {
    const options = this.#options;
    const patience = 4 * this.#exchange.rto.rtoMs() + 2 * ackDelayMs(options, this.#exchange);
    const scarcity = 2 * options.ackEveryFrames * options.paceMeanMs;
    const delay = (patience + scarcity) * 2 ** Math.min(this.#doublings, DOUBLINGS_MAX);
    this.#at = now + Math.min(delay, PROBE_MS_MAX);
  }
}
