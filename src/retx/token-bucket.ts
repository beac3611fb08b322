import { assert, type Instant } from "../base/index.ts";

/** A rate with room for bursts. */
export interface TokenBucketOptions {
  /** The largest burst; a new bucket is full. */
  readonly capacity: number;
  /** Tokens that come back each second. */
  readonly perSecond: number;
}

/** Counts what may still be spent now; plain arithmetic, no timer. */
export class TokenBucket {
  readonly #options: TokenBucketOptions;
  #tokens: number;
  #filledAt: Instant;

  constructor(options: TokenBucketOptions, now: Instant) {
    assert(options.capacity > 0 && options.perSecond > 0, "a bucket holds and gives something");
    this.#options = options;
    this.#tokens = options.capacity;
    this.#filledAt = now;
  }

  /**
   * Takes `amount` if a full bucket holds it or it is there now; false leaves the bucket as it is.
   */
  take(amount: number, now: Instant): boolean {
    if (this.waitMs(amount, now) > 0) return false;
    this.#tokens -= amount;
    return true;
  }

  /** How long until `take(amount)` succeeds. More than a full bucket is taken as a full one. */
  waitMs(amount: number, now: Instant): number {
    const { capacity, perSecond } = this.#options;
    const gained = (Math.max(now - this.#filledAt, 0) * perSecond) / 1_000;
    this.#tokens = Math.min(this.#tokens + gained, capacity);
    this.#filledAt = now;
    const missing = Math.min(amount, capacity) - this.#tokens;
    return missing <= 0 ? 0 : (missing * 1_000) / perSecond;
  }

  /** Gives back what was taken for nothing. */
  refund(amount: number): void {
    this.#tokens = Math.min(this.#tokens + amount, this.#options.capacity);
  }
}
