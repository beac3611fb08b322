import { assert, NumberMap, utf8 } from "../../base/index.ts";
import { Chain } from "../../crypto/index.ts";

/**
 * Chains begin below 2^62 and end at 2^64. No stream comes to this index: a chain that is there was
 * made to break whoever follows it.
 */
export const CHAIN_INDEX_LIMIT: bigint = 2n ** 63n;

/** What one frame is found and opened by. Secret. */
export interface FrameKey {
  /** 32 bytes: the blinding input of the frame's address. */
  readonly frameId: Uint8Array;
  /** 32 bytes: the secretbox key of the frame's cell. */
  readonly key: Uint8Array;
}

interface Link {
  readonly chain: Chain;
  keys: FrameKey | undefined;
}

/**
 * The keys of one chain from a base index on, derived as they are asked for and wiped as they are
 * passed. It can only go forward: what lies below the base cannot be derived again.
 */
export class FrameKeys {
  readonly #context: Uint8Array;
  readonly #links = new NumberMap<Link>();
  #base: number;
  #top: number;

  /** `chain` is the state at index `base`. */
  constructor(chain: Chain, base: number, context: Uint8Array) {
    this.#context = context;
    this.#base = base;
    this.#top = base;
    this.#links.set(base, { chain, keys: undefined });
  }

  /** The lowest index that can still be derived. */
  get base(): number {
    return this.#base;
  }

  /** The keys of a frame; borrowed, they are wiped when the base passes them. */
  at(index: number): FrameKey {
    const link = this.#linkAt(index);
    link.keys ??= {
      frameId: link.chain.frameId(this.#context),
      key: link.chain.frameKey(this.#context),
    };
    return link.keys;
  }

  /** The frame has been opened: nobody needs its keys again, though its state may be saved. */
  spend(index: number): void {
    const link = this.#linkAt(index);
    link.keys?.key.fill(0);
    link.keys = undefined;
  }

  /**
   * Goes on at an index far ahead, whose state somebody has derived already, and which is copied.
   * What lies between the indexes that were asked for and that one is never asked for.
   */
  leap(index: number, chain: Chain): void {
    if (index <= this.#top) return;
    this.#top = index;
    this.#links.set(index, { chain: Chain.fromBytes(chain.toBytes()), keys: undefined });
  }

  /** Forgets everything below `base`. */
  advance(base: number): void {
    for (; this.#base < base; this.#base++) {
      if (this.#top === this.#base) this.#extend();
      const link = this.#links.get(this.#base);
      this.#links.delete(this.#base);
      link?.chain.wipe();
      // The frame id may still be in use by a request; the key is not.
      link?.keys?.key.fill(0);
    }
  }

  /** The chain state at the base: secret, 104 bytes, owned by the caller. */
  baseState(): Uint8Array {
    return this.stateAt(this.#base);
  }

  /** The chain state at an index from the base on: secret, 104 bytes, owned by the caller. */
  stateAt(index: number): Uint8Array {
    return this.#linkAt(index).chain.toBytes();
  }

  #linkAt(index: number): Link {
    assert(index >= this.#base, "keys of a passed frame are gone");
    while (this.#top < index) this.#extend();
    const link = this.#links.get(index);
    assert(link !== undefined, "every index from the base to the top has a link, but for leaps");
    return link;
  }

  #extend(): void {
    const top = this.#links.get(this.#top);
    assert(top !== undefined, "the top has a link");
    this.#top += 1;
    this.#links.set(this.#top, { chain: top.chain.next(), keys: undefined });
  }
}

/** Domain of the frame ids and keys of a data chain. */
export const DATA_CONTEXT: Uint8Array = utf8("culvert/v1/data");
/** Domain of the frame ids and keys of an ack chain. */
export const ACK_CONTEXT: Uint8Array = utf8("culvert/v1/ack");

/** Where a chain stood when it was saved. */
export interface SavedChain {
  readonly next: number;
  /** Chain state at `next`. Secret. */
  readonly chain: Uint8Array;
}

/** The keys of a chain from where it was saved, or else from its first state, which is copied. */
export function keysFrom(first: Chain, context: Uint8Array, saved?: SavedChain): FrameKeys {
  const state = saved?.chain ?? first.toBytes();
  return new FrameKeys(Chain.fromBytes(state), saved?.next ?? 0, context);
}
