import { assert, type KeyedHash } from "../../base/index.ts";

/** Bytes of a tag. */
const TAG_BYTES = 16;

/** Words that are kept of a tag. */
const WORDS = 2;

/** Slots of a new table; it doubles when half of them are taken. */
const SLOTS_FIRST = 1_024;

/**
 * Tags of one epoch key that are kept: 64 MiB of table when full, then packets are refused. As many
 * as the rates of packets and builds let come while the key lives, whoever sends them.
 */
export const REPLAY_TAGS_MAX = 4_194_304;

/**
 * The packets that were opened with one key: a set of tags in one flat table (open addressing,
 * linear probing). The origin of a packet knows its tags and may try until it likes them, so where
 * one lies is said by a hash under a secret. That hash and the last word are kept of it: a packet
 * is taken for another one in 2^42 times at the worst. None is forgotten before its key.
 */
export class ReplayTags {
  readonly #hash: KeyedHash;
  readonly #tagsMax: number;
  #slots: Uint32Array = new Uint32Array(SLOTS_FIRST * WORDS);
  #size = 0;
  /** The tag that is looked for. */
  readonly #words = new Uint32Array(WORDS);

  /** @param hash under a secret of this node */
  constructor(hash: KeyedHash, tagsMax: number) {
    this.#hash = hash;
    this.#tagsMax = tagsMax;
  }

  get size(): number {
    return this.#size;
  }

  /** Takes a tag of 16 bytes in, or says why it cannot. */
  add(tag: Uint8Array): "added" | "seen" | "full" {
    assert(tag.length === TAG_BYTES, "a replay tag has 16 bytes");
    const words = this.#words;
    // An empty slot begins with zero.
    words[0] = this.#hash.of(tag) || 1;
    words[1] = wordAt(tag, TAG_BYTES - 4);
    const at = find(this.#slots, words, 0);
    if (this.#slots[at] !== 0) return "seen";
    if (this.#size >= this.#tagsMax) return "full";
    this.#slots.set(words, at);
    this.#size += 1;
    if (this.#size * 2 * WORDS > this.#slots.length) this.#grow();
    return "added";
  }

  /** Forgets everything. */
  wipe(): void {
    this.#slots = new Uint32Array(SLOTS_FIRST * WORDS);
    this.#size = 0;
  }

  #grow(): void {
    const [slots, larger] = [this.#slots, new Uint32Array(this.#slots.length * 2)];
    for (let at = 0; at < slots.length; at += WORDS) {
      if (slots[at] === 0) continue;
      larger.set(slots.subarray(at, at + WORDS), find(larger, slots, at));
    }
    this.#slots = larger;
  }
}

/** Four bytes, big-endian. */
function wordAt(bytes: Uint8Array, at: number): number {
  let word = 0;
  for (let i = at; i < at + 4; i++) word = word * 256 + (bytes[i] as number);
  return word;
}

/** Where the tag that lies in `words` from `from` on is in the table, or where it belongs. */
function find(slots: Uint32Array, words: Uint32Array, from: number): number {
  const mask = slots.length / WORDS - 1;
  for (let slot = (words[from] as number) & mask; ; slot = (slot + 1) & mask) {
    const at = slot * WORDS;
    if (slots[at] === 0) return at;
    if (slots[at] === words[from] && slots[at + 1] === words[from + 1]) return at;
  }
}
