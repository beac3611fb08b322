import { assert, type Random, requireAmount } from "../base/index.ts";

/** What an {@link RtoEstimator} is tuned by; all times in milliseconds. */
export interface RtoOptions {
  /** The guess before the first sample. */
  readonly initialMs: number;
  /** No time-out is shorter than this. */
  readonly minMs: number;
  /** No time-out, backed off or not, is longer than this; jitter comes on top. */
  readonly maxMs: number;
  /** How far a drawn time-out may exceed the RTO, as a fraction of it. */
  readonly jitter: number;
}

/** Tuned for mixnets and onion routes, where a round trip takes seconds; fast paths teach it. */
export const RTO_DEFAULTS: RtoOptions = Object.freeze({
  initialMs: 3_000,
  minMs: 50,
  maxMs: 60_000,
  jitter: 0.1,
});

/** The room above the mean that a perfectly steady path is given, as a fraction of the mean. */
const SPREAD_MIN = 1 / 8;

/** Keeps `2 ** backoff` finite however long a silence lasts. */
const BACKOFF_MAX = 30;

/**
 * How long to wait for an answer before the request is taken for lost.
 *
 * Samples come only from answers whose request is known beyond doubt (Karn's rule), which here is
 * every answer: no two requests share a number. Silence doubles the time-out, any answer restores
 * it.
 *
 * Source: Jacobson, "Congestion Avoidance and Control", 1988; RFC 6298, with a spread of at least
 * an eighth of the mean in place of the clock granularity.
 */
export class RtoEstimator {
  readonly #random: Random;
  #options: RtoOptions;
  #meanMs: number | undefined;
  #deviationMs = 0;
  #backoff = 0;

  /** @throws RangeError when the times are not ordered, or the jitter is not in [0, 1] */
  constructor(options: Partial<RtoOptions> & { readonly random: Random }) {
    const { initialMs, minMs, maxMs, jitter } = { ...RTO_DEFAULTS, ...options };
    requireAmount("initialMs", initialMs);
    requireAmount("minMs", minMs);
    requireAmount("maxMs", maxMs);
    requireAmount("jitter", jitter);
    if (!(minMs > 0 && minMs <= initialMs && initialMs <= maxMs && Number.isFinite(maxMs))) {
      throw new RangeError("0 < minMs <= initialMs <= maxMs < Infinity must hold");
    }
    if (!(jitter >= 0 && jitter <= 1)) throw new RangeError("jitter must be in [0, 1]");
    this.#random = options.random;
    this.#options = { initialMs, minMs, maxMs, jitter };
  }

  /** A new one of the same tuning, which is kept once for both: some keep one for each of many. */
  another(): RtoEstimator {
    const other = new RtoEstimator({ ...this.#options, random: this.#random });
    other.#options = this.#options;
    return other;
  }

  /** The smoothed round trip; `undefined` before the first sample. */
  get meanMs(): number | undefined {
    return this.#meanMs;
  }

  /** Learns from one round trip, and ends the back-off. */
  sample(rttMs: number): void {
    assert(rttMs >= 0 && Number.isFinite(rttMs), "a round trip is a finite, positive time");
    if (this.#meanMs === undefined) {
      this.#meanMs = rttMs;
      this.#deviationMs = rttMs / 2;
    } else {
      this.#deviationMs += (Math.abs(this.#meanMs - rttMs) - this.#deviationMs) / 4;
      this.#meanMs += (rttMs - this.#meanMs) / 8;
    }
    this.#backoff = 0;
  }

  /** Doubles the time-out after a silence. */
  backoff(): void {
    this.#backoff = Math.min(this.#backoff + 1, BACKOFF_MAX);
  }

  /** Ends the back-off after an answer that is no sample: a get that waited for its put. */
  restore(): void {
    this.#backoff = 0;
  }

  /** Forgets every sample: the path is another one now. */
  reset(): void {
    this.#meanMs = undefined;
    this.#deviationMs = 0;
    this.#backoff = 0;
  }

  /** The time-out in force. */
  rtoMs(): number {
    const { initialMs, minMs, maxMs } = this.#options;
    const mean = this.#meanMs;
    const base =
      mean === undefined ? initialMs : mean + Math.max(4 * this.#deviationMs, mean * SPREAD_MIN);
    return Math.min(Math.max(base, minMs) * 2 ** this.#backoff, maxMs);
  }

  /** The time-out for one request: the RTO plus jitter, so that requests sent together part. */
  drawMs(): number {
    return this.rtoMs() * (1 + this.#options.jitter * this.#random.unit());
  }
}
