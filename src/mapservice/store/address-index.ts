import { assert, KeyedHash } from "../../base/index.ts";

/** Where a record lies: the bucket of its expiry, and its number in there. */
export interface Place {
  readonly bucket: number;
  readonly serial: number;
}

/** Words of a slot: tag, bucket, serial. Side by side, so that a search costs one cache miss. */
const WORDS = 3;

/**
 * Finds the places of records by a 32-bit tag of their address: 16 to 32 bytes of memory for a
 * record at capacity, no objects. Two addresses may share a tag, so a place is a hint: whoever
 * follows it compares the address it finds there.
 *
 * Open addressing with linear probing, never more than three quarters full; the table has its final
 * size from the start, so no insertion ever pays for moving a million others.
 */
export class AddressIndex {
  readonly #hash: KeyedHash;
  readonly #slots: Uint32Array;
  readonly #mask: number;
  #size = 0;

  /** @param secret 16 bytes that keep strangers from choosing addresses that share a tag */
  constructor(capacity: number, secret: Uint8Array) {
    assert(capacity >= 1 && capacity <= 2 ** 28, "the table fits in memory");
    const slots = 2 ** Math.ceil(Math.log2((4 / 3) * capacity + 1));
    this.#hash = new KeyedHash(secret);
    this.#slots = new Uint32Array(WORDS * slots);
    this.#mask = slots - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** How many more places fit. */
  get room(): number {
    return Math.floor((3 * (this.#mask + 1)) / 4) - this.#size;
  }

  /** The tag of an address; never zero, which marks a free slot. */
  tagOf(address: Uint8Array): number {
    return this.#hash.of(address) || 1;
  }

  /** The places that records of this tag have. */
  places(tag: number): readonly Place[] {
    let places = NOWHERE;
    for (let slot = tag & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const found = this.#tagAt(slot);
      if (found === 0) return places;
      if (found === tag) places = [...places, this.#placeAt(slot)];
    }
  }

  /** Whether a record of this tag has this place. */
  has(tag: number, place: Place): boolean {
    return this.#slotOf(tag, place) !== undefined;
  }

  /** False when the index is full. */
  insert(tag: number, place: Place): boolean {
    if (this.room <= 0) return false;
    let slot = tag & this.#mask;
    while (this.#tagAt(slot) !== 0) slot = (slot + 1) & this.#mask;
    this.#set(slot, tag, place);
    this.#size += 1;
    return true;
  }

  /** False when no record of this tag is there. */
  remove(tag: number, place: Place): boolean {
    const slot = this.#slotOf(tag, place);
    if (slot === undefined) return false;
    this.#free(slot);
    this.#size -= 1;
    return true;
  }

  #slotOf(tag: number, { bucket, serial }: Place): number | undefined {
    const slots = this.#slots;
    for (let slot = tag & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = WORDS * slot;
      if (slots[at] === 0) return undefined;
      if (slots[at] === tag && slots[at + 1] === bucket && slots[at + 2] === serial) return slot;
    }
  }

  /** Frees a slot and closes the gap: a search must not end before what comes after it. */
  #free(freed: number): void {
    let gap = freed;
    for (let slot = (gap + 1) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const tag = this.#tagAt(slot);
      if (tag === 0) break;
      const isReachable = ((slot - tag) & this.#mask) < ((slot - gap) & this.#mask);
      if (isReachable) continue;
      this.#slots.copyWithin(WORDS * gap, WORDS * slot, WORDS * (slot + 1));
      gap = slot;
    }
    this.#slots[WORDS * gap] = 0;
  }

  #tagAt(slot: number): number {
    return this.#slots[WORDS * slot] as number;
  }

  #set(slot: number, tag: number, { bucket, serial }: Place): void {
    const at = WORDS * slot;
    this.#slots[at] = tag;
    this.#slots[at + 1] = bucket;
    this.#slots[at + 2] = serial;
  }

  #placeAt(slot: number): Place {
    const at = WORDS * slot;
    return { bucket: this.#slots[at + 1] as number, serial: this.#slots[at + 2] as number };
  }
}

const NOWHERE: readonly Place[] = Object.freeze([]);
