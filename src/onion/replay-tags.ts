import { assert } from "../base/index.ts";

/** Words of a tag. */
const WORDS = 4;

/** Slots of a new table; it doubles when half of them are taken. */
const SLOTS_FIRST = 1_024;

/** Tags of one epoch key that are kept: 64 MiB of table when full, then packets are refused. */
export const REPLAY_TAGS_MAX = 2_097_152;

/**
 * The packets that were opened with one key: a set of 16-byte tags in one flat table (open
 * addressing, linear probing). Tags are pseudorandom under keys that nobody can choose, so their
 * first word is a good hash.
 */
export class ReplayTags {
  readonly #tagsMax: number;
  #slots: Uint32Array = new Uint32Array(SLOTS_FIRST * WORDS);
  #size = 0;

  constructor(tagsMax: number = REPLAY_TAGS_MAX) {
    this.#tagsMax = tagsMax;
  }

  get size(): number {
    return this.#size;
  }

  /** Takes a tag of 16 bytes in, or says why it cannot. */
  add(tag: Uint8Array): "added" | "seen" | "full" {
    const words = wordsOf(tag);
    const slot = find(this.#slots, words);
    if (this.#slots[slot] !== 0) return "seen";
    if (this.#size >= this.#tagsMax) return "full";
    this.#slots.set(words, slot);
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
    const larger = new Uint32Array(this.#slots.length * 2);
    for (let at = 0; at < this.#slots.length; at += WORDS) {
      if (this.#slots[at] === 0) continue;
      const words = this.#slots.subarray(at, at + WORDS);
      larger.set(words, find(larger, words));
    }
    this.#slots = larger;
  }
}

function wordsOf(tag: Uint8Array): Uint32Array {
  assert(tag.length === 4 * WORDS, "a replay tag has 16 bytes");
  const view = new DataView(tag.buffer, tag.byteOffset, tag.length);
  const words = Uint32Array.from({ length: WORDS }, (_, i) => view.getUint32(4 * i));
  // An empty slot begins with zero.
  if (words[0] === 0) words[0] = 1;
  return words;
}

/** Where the tag is, or where it belongs. */
function find(slots: Uint32Array, words: Uint32Array): number {
  const mask = slots.length / WORDS - 1;
  let slot = (words[0] as number) & mask;
  for (;;) {
    const at = slot * WORDS;
    if (slots[at] === 0) return at;
    if (words.every((word, i) => slots[at + i] === word)) return at;
    slot = (slot + 1) & mask;
  }
}
