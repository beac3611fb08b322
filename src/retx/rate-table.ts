import { type Instant, LruMap } from "../base/index.ts";
import { TokenBucket, type TokenBucketOptions } from "./token-bucket.ts";

/** A rate for each of many: nodes, networks, sources. The longest quiet one is forgotten. */
export class RateTable {
  readonly #rate: TokenBucketOptions;
  readonly #buckets: LruMap<string, TokenBucket>;

  constructor(rate: TokenBucketOptions, entriesMax: number) {
    this.#rate = rate;
    this.#buckets = new LruMap(entriesMax);
  }

  /** Takes one, or another amount, of what `key` may have now; false when that is less. */
  take(key: string, now: Instant, amount = 1): boolean {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#rate, now);
      this.#buckets.set(key, bucket);
    }
    return bucket.take(amount, now);
  }

  /** Whether `key` may have one now, which it does not take. */
  mayTake(key: string, now: Instant): boolean {
    return (this.#buckets.peek(key)?.waitMs(1, now) ?? 0) === 0;
  }

  /** Gives back what `key` has taken for nothing. */
  refund(key: string, amount = 1): void {
    this.#buckets.get(key)?.refund(amount);
  }
}
