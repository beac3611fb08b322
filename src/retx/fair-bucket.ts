import { assert, type Instant } from "../base/index.ts";
import type { TokenBucketOptions } from "./token-bucket.ts";

/**
 * A token bucket that many share: none may have spent more than is left, and what comes back goes
 * to all who have spent, in turn. One alone spends half of the bucket and then the whole rate; of
 * any number that take all they can get, each has as much, and who comes next finds as much again.
 */
export class FairBucket {
  readonly #options: TokenBucketOptions;
  /** Whole tokens that have not come back, by who has spent them; the next to get one is first. */
  readonly #spent = new Map<string, number>();
  #total = 0;
  #filledAt: Instant;

  constructor(options: TokenBucketOptions, now: Instant) {
    assert(options.capacity > 0 && options.perSecond > 0, "a bucket holds and gives something");
    this.#options = options;
    this.#filledAt = now;
  }

  /** Takes one for `key`; false when that has spent as much as there is left. */
  take(key: string, now: Instant): boolean {
    this.#refill(now);
    const spent = this.#spent.get(key) ?? 0;
    if (spent >= this.#options.capacity - this.#total) return false;
    this.#spent.set(key, spent + 1);
    this.#total += 1;
    return true;
  }

  #refill(now: Instant): void {
    const { perSecond } = this.#options;
    const gained = Math.floor((Math.max(now - this.#filledAt, 0) * perSecond) / 1_000);
    this.#filledAt += (gained * 1_000) / perSecond;
    for (let left = Math.min(gained, this.#total); left > 0; left--) this.#giveBack();
    // A full bucket saves nothing up.
    if (this.#total === 0) this.#filledAt = now;
  }

  #giveBack(): void {
    for (const [key, spent] of this.#spent) {
      this.#spent.delete(key);
      if (spent > 1) this.#spent.set(key, spent - 1);
      this.#total -= 1;
      return;
    }
  }
}
