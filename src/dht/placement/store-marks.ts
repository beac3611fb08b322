import { equalBytes, type Instant, LruMap } from "../../base/index.ts";
import { TokenBucket } from "../../retx/index.ts";
import type { KeyText } from "../wire/key.ts";

/** Nodes whose store is known by its mark. */
const MARKS_MAX = 1_024;
/** How often a node is believed that its store is another one: the first is of its first life. */
const NEW_STORES = { capacity: 3, perSecond: 1 / 900 } as const;

interface KnownStore {
  readonly mark: Uint8Array;
  readonly believed: TokenBucket;
}

/** By which mark the store of a node is known, and whether one that tells another is believed. */
export class StoreMarks {
  readonly #stores = new LruMap<KeyText, KnownStore>(MARKS_MAX);

  isKnown(node: KeyText, mark: Uint8Array): boolean {
    const known = this.#stores.get(node);
    return known !== undefined && equalBytes(known.mark, mark);
  }

  /** Whether the node may say once more that its store is a new one. */
  mayChange(node: KeyText, now: Instant): boolean {
    return (this.#stores.get(node)?.believed.waitMs(1, now) ?? 0) === 0;
  }

  /** The node has said so, and is believed. */
  change(node: KeyText, mark: Uint8Array, now: Instant): void {
    const believed = this.#stores.get(node)?.believed ?? new TokenBucket(NEW_STORES, now);
    believed.take(1, now);
    this.#stores.set(node, { mark: mark.slice(), believed });
  }
}
