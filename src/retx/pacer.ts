import type { Instant, Random } from "../base/index.ts";

/** Says when the next request may leave. */
export interface Pacer {
  /** Whether a request may leave at `now`. */
  ready(now: Instant): boolean;
  /** Spends the permission; only when `ready`. */
  take(now: Instant): void;
  /** Since when, or from when on, `ready` holds. */
  deadline(): Instant;
}

/** Lets everything leave at once: the window alone is the limit. */
export const OPEN_PACER: Pacer = {
  ready: () => true,
  take: () => {},
  deadline: () => Number.NEGATIVE_INFINITY,
};

/**
 * Leaves exponentially distributed gaps between requests: seen from the network, a Poisson process
 * that a busy stream fills completely. A permission that is not used is kept, but never a second
 * one, so a silence is not followed by a burst.
 */
export class PoissonPacer implements Pacer {
  readonly #meanMs: number;
  readonly #random: Random;
  #readyAt: Instant = Number.NEGATIVE_INFINITY;

  /** @throws RangeError when `meanMs` is not a positive, finite number */
  constructor(options: { readonly meanMs: number; readonly random: Random }) {
    if (!(options.meanMs > 0 && Number.isFinite(options.meanMs))) {
      throw new RangeError("meanMs must be a positive, finite number");
    }
    this.#meanMs = options.meanMs;
    this.#random = options.random;
  }

  ready(now: Instant): boolean {
    return now >= this.#readyAt;
  }

  take(now: Instant): void {
    this.#readyAt = now - this.#meanMs * Math.log1p(-this.#random.unit());
  }

  deadline(): Instant {
    return this.#readyAt;
  }
}
