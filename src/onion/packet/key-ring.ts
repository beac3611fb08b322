import { KeyedHash, type Random, wipe } from "../../base/index.ts";
import type { OnionKey } from "../../identity/index.ts";
import { REPLAY_TAGS_MAX, ReplayTags } from "./replay-tags.ts";
import type { OnionSuite } from "./suite.ts";

/** How long an epoch is, in all networks. */
export const EPOCH_MS = 3_600_000;

/** How long the key of an epoch opens packets after its end. */
export const EPOCH_GRACE_MS = 600_000;

/** How long before its epoch a key is made, so that descriptors with it can spread. */
export const EPOCH_LEAD_MS = 1_200_000;

/** A key of this node with the packets that it has opened. */
export interface EpochKey extends OnionKey {
  readonly secret: Uint8Array;
  readonly tags: ReplayTags;
}

/** The epoch of a time. */
export function epochOf(unixMs: number): number {
  return Math.floor(unixMs / EPOCH_MS);
}

/** Epochs in which others may be, this one first: clocks are up to two hours apart. */
export function epochsNear(unixMs: number): readonly number[] {
  const here = epochOf(unixMs);
  return [here, here - 1, here + 1, here - 2, here + 2];
}

/**
 * The onion keys of one node. Each lives from {@link EPOCH_LEAD_MS} before its epoch until
 * {@link EPOCH_GRACE_MS} after it, then key and replay tags are destroyed together. Nothing is
 * ever stored: after a restart there are new keys, and packets for the old ones are noise.
 */
export class KeyRing {
  readonly #suite: OnionSuite;
  readonly #random: Random;
  readonly #tagsMax: number;
  readonly #hash: KeyedHash;
  readonly #keys = new Map<number, EpochKey>();
  /** For what comes home to this node itself: told to nobody. */
  readonly #own = new Map<number, EpochKey>();
  readonly #decoy: EpochKey;

  constructor(
    components: { readonly suite: OnionSuite; readonly random: Random },
    options: { readonly replayTagsMax?: number } = {},
  ) {
    this.#suite = components.suite;
    this.#random = components.random;
    this.#tagsMax = options.replayTagsMax ?? REPLAY_TAGS_MAX;
    const secret = this.#random.bytes(32);
    const publicKey = this.#suite.x25519PublicKey(secret);
    // Nobody is told of that key.
    this.#hash = new KeyedHash(publicKey.subarray(0, 16));
    this.#decoy = { epoch: 0, secret, publicKey, tags: new ReplayTags(this.#hash, 0) };
  }

  /** Makes the keys that are needed now and destroys those that have ended. True on a change. */
  advance(unixMs: number): boolean {
    const [first, last] = [epochOf(unixMs - EPOCH_GRACE_MS), epochOf(unixMs + EPOCH_LEAD_MS)];
    let hasChanged = false;
    for (const [epoch, key] of this.#keys) {
      // A clock that is set back a little has told of its next key already, and needs that one.
      if (epoch >= first && epoch <= last + 1) continue;
      destroy(key);
      this.#keys.delete(epoch);
      hasChanged = true;
    }
    for (let epoch = epochOf(unixMs); epoch <= last; epoch++) {
      if (this.#keys.has(epoch)) continue;
      this.#keys.set(epoch, this.#own.get(epoch) ?? this.#make(epoch));
      this.#own.delete(epoch);
      hasChanged = true;
    }
    const near = epochsNear(unixMs);
    for (const [epoch, key] of this.#own) {
      if (near.includes(epoch)) continue;
      destroy(key);
      this.#own.delete(epoch);
    }
    return hasChanged;
  }

  /**
   * Keys for reply blocks of this node's own, for every epoch in which relays may be: theirs have
   * to be of the same one, and a clock may be off. They live and die with their tags as others do.
   */
  forReplies(unixMs: number): OnionKey[] {
    return epochsNear(unixMs).map((epoch) => {
      const key = this.#keys.get(epoch) ?? this.#own.get(epoch) ?? this.#make(epoch);
      if (!this.#keys.has(epoch)) this.#own.set(epoch, key);
      return { epoch, publicKey: key.publicKey };
    });
  }

  /** What a descriptor tells: the keys of this epoch and, near its end, of the next one. */
  published(unixMs: number): OnionKey[] {
    return [...this.#keys.values()]
      .filter(({ epoch }) => epoch >= epochOf(unixMs))
      .sort((a, b) => a.epoch - b.epoch)
      .map(({ epoch, publicKey }) => ({ epoch, publicKey }));
  }

  /** The key that a packet with this byte of its epoch was made for. */
  find(epochByte: number): EpochKey | undefined {
    for (const keys of [this.#keys, this.#own]) {
      for (const key of keys.values()) if ((key.epoch & 0xff) === epochByte) return key;
    }
    return undefined;
  }

  /** A key of no epoch: what is to be dropped anyway is opened with it, and takes as long. */
  get decoy(): EpochKey {
    return this.#decoy;
  }

  #make(epoch: number): EpochKey {
    const secret = this.#random.bytes(32);
    const publicKey = this.#suite.x25519PublicKey(secret);
    return { epoch, secret, publicKey, tags: new ReplayTags(this.#hash, this.#tagsMax) };
  }
}

function destroy({ secret, tags }: EpochKey): void {
  wipe(secret);
  tags.wipe();
}
