import { LruMap, type Random } from "../../base/index.ts";
import { RtoEstimator } from "../../retx/index.ts";
import type { RequestLimits } from "../limits.ts";

/**
 * A carrier that repeats by itself loses only what a broken link had: few copies are enough, and
 * how long an answer takes teaches nothing.
 */
const COPIES_IF_RELIABLE = 4;
/** Fewest copies, whatever was learnt: one late answer must not teach us to give up. */
const COPIES_IF_SLOW = 16;
const DOUBLINGS_MAX = 30;
/** How long after a disturbance what was sent once is sent again, at most. */
const SOON_MS = 100;

/**
 * How long to wait before a message is sent once more: a time-out learnt for each peer and type,
 * doubled with each copy, but no longer than it takes to fit `copiesMin` copies into the life of
 * the request, unless the path is slower than that. At a loss of one half each way, 64 copies leave
 * a chance of 1e-8 that none is answered.
 */
export class RetryPauses {
  readonly #limits: RequestLimits;
  readonly #random: Random;
  readonly #isReliable: boolean;
  readonly #estimators: LruMap<string, RtoEstimator>;

  constructor(init: {
    readonly limits: RequestLimits;
    readonly random: Random;
    readonly isReliable: boolean;
  }) {
    this.#limits = init.limits;
    this.#random = init.random;
    this.#isReliable = init.isReliable;
    this.#estimators = new LruMap(init.limits.timesMax);
  }

  /** Learns for a peer and type from a message sent once (Karn: else which copy was it?). */
  sample(place: string, tookMs: number): void {
    if (this.#isReliable) return;
    let estimator = this.#estimators.get(place);
    if (estimator === undefined) {
      const { retryMs: initialMs, hardMsMax: maxMs } = this.#limits;
      estimator = new RtoEstimator({ random: this.#random, initialMs, maxMs });
      this.#estimators.set(place, estimator);
    }
    estimator.sample(tookMs);
  }

  /** The pause after the last of so many copies. */
  after(copies: number, { place, hardMs }: { place: string; hardMs: number }): number {
    const pauseMs = this.#isReliable
      ? hardMs / COPIES_IF_RELIABLE
      : this.#learnt(copies, place, hardMs);
    // Up to a tenth more: what was sent together is not repeated together.
    return pauseMs * (1 + 0.1 * this.#random.unit());
  }

  /**
   * A short pause after a disturbance, different for everybody. It doubles with each copy too: it
   * may be what is sent that breaks the connection.
   */
  soon(): (copies: number) => number {
    const onceMs = SOON_MS * this.#random.unit();
    return (copies) => onceMs * 2 ** Math.min(copies - 1, DOUBLINGS_MAX);
  }

  /**
   * How long a peer is not asked again that has forgotten a request's session so many times: once
   * is a restart. One that always does would have us ask as fast as it answers.
   */
  afterLosses(losses: number, hardMs: number): number {
    if (losses < 2) return 0;
    const pauseMs = SOON_MS * 2 ** Math.min(losses - 2, DOUBLINGS_MAX);
    return Math.min(pauseMs, hardMs / this.#limits.copiesMin) * (1 + 0.1 * this.#random.unit());
  }

  #learnt(copies: number, place: string, hardMs: number): number {
    const rtoMs = this.#estimators.get(place)?.rtoMs() ?? this.#limits.retryMs;
    const knownMs = Math.min(rtoMs, hardMs / COPIES_IF_SLOW);
    const longestMs = Math.max(hardMs / this.#limits.copiesMin, knownMs);
    return Math.min(knownMs * 2 ** Math.min(copies - 1, DOUBLINGS_MAX), longestMs);
  }
}
