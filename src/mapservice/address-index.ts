import { assert } from "../base/index.ts";

/** Where a record lies: the bucket of its expiry, and its number in there. */
export interface Place {
  readonly bucket: number;
  readonly serial: number;
}

/**
 * Finds the places of records by a 32-bit tag of their address: 16 to 32 bytes of memory for a
 * record at capacity, no objects. Two addresses may share a tag, so a place is a hint: whoever
 * follows it compares the address it finds there.
 *
 * Open addressing with linear probing, never more than three quarters full; the table has its final
 * size from the start, so no insertion ever pays for moving a million others.
 */
export class AddressIndex {
  readonly #keys: Uint32Array;
  readonly #tags: Uint32Array;
  readonly #buckets: Uint32Array;
  readonly #serials: Uint32Array;
  readonly #mask: number;
  #size = 0;

  /** @param secret 16 bytes that keep strangers from choosing addresses that share a tag */
  constructor(capacity: number, secret: Uint8Array) {
    assert(secret.length === 16, "the secret has four words");
    assert(capacity >= 1 && capacity <= 2 ** 30, "the table fits in memory");
    const slots = 2 ** Math.ceil(Math.log2((4 / 3) * capacity + 1));
    this.#keys = wordsOf(secret);
    this.#tags = new Uint32Array(slots);
    this.#buckets = new Uint32Array(slots);
    this.#serials = new Uint32Array(slots);
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
    const words = wordsOf(address);
    const keys = this.#keys;
    let hash = keys[0] as number;
    for (let i = 0; i < words.length; i++) {
      hash = Math.imul(hash ^ (words[i] as number) ^ (keys[i & 3] as number), 0x9e3779b1);
      hash ^= hash >>> 15;
      hash = Math.imul(hash, 0x85ebca77);
      hash ^= hash >>> 13;
    }
    return hash >>> 0 || 1;
  }

  /** The places that records of this tag have. */
  places(tag: number): Place[] {
    const places: Place[] = [];
    for (let slot = tag & this.#mask; this.#tags[slot] !== 0; slot = (slot + 1) & this.#mask) {
      if (this.#tags[slot] === tag) places.push(this.#placeAt(slot));
    }
    return places;
  }

  /** False when the index is full. */
  insert(tag: number, place: Place): boolean {
    if (this.room <= 0) return false;
    let slot = tag & this.#mask;
    while (this.#tags[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#tags[slot] = tag;
    this.#buckets[slot] = place.bucket;
    this.#serials[slot] = place.serial;
    this.#size += 1;
    return true;
  }

  /** False when no record of this tag is there. */
  remove(tag: number, place: Place): boolean {
    for (let slot = tag & this.#mask; this.#tags[slot] !== 0; slot = (slot + 1) & this.#mask) {
      const isHere = this.#tags[slot] === tag && this.#serials[slot] === place.serial;
      if (!isHere || this.#buckets[slot] !== place.bucket) continue;
      this.#free(slot);
      this.#size -= 1;
      return true;
    }
    return false;
  }

  /** Frees a slot and closes the gap: a search must not end before what comes after it. */
  #free(freed: number): void {
    let gap = freed;
    for (
      let slot = (gap + 1) & this.#mask;
      this.#tags[slot] !== 0;
      slot = (slot + 1) & this.#mask
    ) {
      const tag = this.#tags[slot] as number;
      const isReachable = ((slot - tag) & this.#mask) < ((slot - gap) & this.#mask);
      if (isReachable) continue;
      const { bucket, serial } = this.#placeAt(slot);
      this.#tags[gap] = tag;
      this.#buckets[gap] = bucket;
      this.#serials[gap] = serial;
      gap = slot;
    }
    this.#tags[gap] = 0;
  }

  #placeAt(slot: number): Place {
    return {
      bucket: this.#buckets[slot] as number,
      serial: this.#serials[slot] as number,
    };
  }
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const words = new Uint32Array(bytes.length / 4);
  for (let i = 0; i < words.length; i++) words[i] = view.getUint32(4 * i, true);
  return words;
}
