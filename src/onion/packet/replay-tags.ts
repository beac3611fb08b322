import { assert, type KeyedHash, utf8 } from "../../base/index.ts";

/** Words of a tag. */
const WORDS = 4;

/** Slots of a new table; it doubles when half of them are taken. */
const SLOTS_FIRST = 1_024;

/** Tags of one epoch key that are kept: 64 MiB of table when full, then packets are refused. */
export const REPLAY_TAGS_MAX = 2_097_152;

/** Sources are counted in so many places: of two, rarely both in one. */
const SHARES = 4_096;

/**
 * The packets that were opened with one key: a set of 16-byte tags in one flat table (open
 * addressing, linear probing). Tags are pseudorandom under keys that nobody can choose, so their
 * first word is a good hash. None is forgotten before its key, so a source that brings many is
 * refused more of them once it has as many as are free.
 */
export class ReplayTags {
  readonly #tagsMax: number;
  readonly #hash: KeyedHash | undefined;
  /** Tags by the hash of the source that brought them. */
  readonly #shares = new Uint32Array(SHARES);
  #slots: Uint32Array = new Uint32Array(SLOTS_FIRST * WORDS);
  #size = 0;
  /** The tag that is looked for. */
  readonly #words = new Uint32Array(WORDS);

  /** @param hash tells sources apart, with a secret: nobody chooses whose share to use */
  constructor(tagsMax: number = REPLAY_TAGS_MAX, hash?: KeyedHash) {
    this.#tagsMax = tagsMax;
    this.#hash = hash;
  }

  get size(): number {
    return this.#size;
  }

  /** Takes a tag of 16 bytes in, or says why it cannot; without a source, whoever brought it. */
  add(tag: Uint8Array, source?: string): "added" | "seen" | "full" {
    assert(tag.length === 4 * WORDS, "a replay tag has 16 bytes");
    const words = this.#words;
    for (let i = 0; i < WORDS; i++) words[i] = wordAt(tag, 4 * i);
    // An empty slot begins with zero.
    if (words[0] === 0) words[0] = 1;
    const at = find(this.#slots, words, 0);
    if (this.#slots[at] !== 0) return "seen";
    if (!this.#count(source)) return "full";
    this.#slots.set(words, at);
    this.#size += 1;
    if (this.#size * 2 * WORDS > this.#slots.length) this.#grow();
    return "added";
  }

  /** Forgets everything. */
  wipe(): void {
    this.#slots = new Uint32Array(SLOTS_FIRST * WORDS);
    this.#size = 0;
    this.#shares.fill(0);
  }

  /** False when there is no room, or none for this source. */
  #count(source: string | undefined): boolean {
    const free = this.#tagsMax - this.#size;
    if (source === undefined || this.#hash === undefined) return free > 0;
    // By fours, as the hash takes them.
    const share = this.#hash.of(utf8(source.padEnd(4 * Math.ceil(source.length / 4)))) % SHARES;
    const count = this.#shares[share] ?? 0;
    if (count >= free) return false;
    this.#shares[share] = count + 1;
    return true;
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
    let same = 0;
    while (same < WORDS && slots[at + same] === words[from + same]) same += 1;
    if (same === WORDS) return at;
  }
}
