import { type Instant, LruMap } from "../base/index.ts";
import { TokenBucket, type TokenBucketOptions } from "../retx/index.ts";

/**
 * Keeps one source from filling the store alone: a bucket of new records for each source that fills
 * up again as fast as its oldest records may expire. It forgets with the process, so a restart lets
 * a source fill its share once more; what is on disk stays bounded by the store's own limits.
 */
export class SourceShares {
  readonly #share: TokenBucketOptions;
  readonly #buckets: LruMap<string, TokenBucket>;

  constructor(options: { readonly share: TokenBucketOptions; readonly sourcesMax: number }) {
    this.#share = options.share;
    this.#buckets = new LruMap(options.sourcesMax);
  }

  /** Takes one new record from the source's share; false when there is none left. */
  take(source: string, now: Instant): boolean {
    let bucket = this.#buckets.get(source);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#share, now);
      this.#buckets.set(source, bucket);
    }
    return bucket.take(1, now);
  }

  /** Gives back what turned out to be no new record. */
  refund(source: string): void {
    this.#buckets.get(source)?.refund(1);
  }
}
