import type { Instant } from "../../base/index.ts";

/**
 * The first pause after a failure, unless the RTO is shorter, and the longest, if the RTO is as
 * long; where it is short, a fast Map that is back loses no more than a second.
 */
const PAUSE_MS = 250;
const PAUSE_MS_MAX = 16_000;
const FAST_PAUSE_MS_MAX = 1_000;

/**
 * How long nothing is sent after a request has failed. One failure among many may be one broken
 * way, so the pause is short at first, and doubles while nothing is answered.
 */
export class FailurePauses {
  #until: Instant = Number.NEGATIVE_INFINITY;
  /** Since the last answer. */
  #count = 0;

  /** When the last one ends, or has ended. */
  get until(): Instant {
    return this.#until;
  }

  /** Pauses from now on, when no pause is under way; by an RTO as it was drawn. */
  begin(now: Instant, rtoMs: number): void {
    const pauseMs = Math.min(PAUSE_MS, rtoMs) * 2 ** this.#count;
    this.#count += 1;
    this.#until = now + Math.min(pauseMs, Math.max(rtoMs, FAST_PAUSE_MS_MAX), PAUSE_MS_MAX);
  }

  /** Something was answered: the next pause is short again. */
  answered(): void {
    this.#count = 0;
  }
}
