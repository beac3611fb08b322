import { assert, equalBytes, type Instant, KeyedHash } from "../../base/index.ts";
import { KEY_BYTES, type KeyText } from "../wire/key.ts";

/** Names a watched record while it is one; used again for another one later. */
export type WatchSlot = number;

const NO_SLOT = -1;
const SLOTS_MIN = 64;

/**
 * The records that a node watches: their addresses, how long they live, and who keeps them beside
 * it. All but the lists of keepers, which records share, lies in arrays of numbers: some 70 bytes a
 * record, which the collector does not look at. As objects of a `Map` they were the half of what is
 * old in a node's heap.
 *
 * Found by chains over a keyed hash. Arrays double as records come, up to the capacity.
 */
export class WatchedRecords {
  readonly #capacity: number;
  readonly #hash: KeyedHash;
  #slots = 0;
  #addresses = new Uint8Array(0);
  /** `NaN` where there is no record. */
  #expiresAt = new Float64Array(0);
  #keepers: (readonly KeyText[])[] = [];
  /** The first slot of each chain, and the next one of each slot. */
  #heads = new Int32Array(0);
  #nexts = new Int32Array(0);
  /** Slots below this were used; those of them that have no record now wait in `#free`. */
  #used = 0;
  readonly #free: WatchSlot[] = [];
  /** The order in which records came: the one before each slot, and the one behind it. */
  #older = new Int32Array(0);
  #newer = new Int32Array(0);
  #oldest: WatchSlot = NO_SLOT;
  #newest: WatchSlot = NO_SLOT;

  /** @param secret 16 bytes that keep strangers from choosing addresses of one chain */
  constructor(capacity: number, secret: Uint8Array) {
    this.#capacity = capacity;
    this.#hash = new KeyedHash(secret);
  }

  get size(): number {
    return this.#used - this.#free.length;
  }

  get isFull(): boolean {
    return this.size >= this.#capacity;
  }

  /** The slot of an address that is watched. */
  find(address: Uint8Array): WatchSlot | undefined {
    if (this.#slots === 0) return undefined;
    let slot = this.#heads[this.#chainOf(address)] as number;
    while (slot !== NO_SLOT && !equalBytes(this.addressAt(slot), address)) {
      slot = this.#nexts[slot] as number;
    }
    return slot === NO_SLOT ? undefined : slot;
  }

  /** Takes a new address in, which is copied. There must be room. */
  add(address: Uint8Array, expiresAt: Instant, keepers: readonly KeyText[]): void {
    assert(!this.isFull, "somebody has made room");
    const slot = this.#free.pop() ?? this.#fresh();
    this.#addresses.set(address, KEY_BYTES * slot);
    this.#expiresAt[slot] = expiresAt;
    this.#keepers[slot] = keepers;
    const chain = this.#chainOf(address);
    this.#nexts[slot] = this.#heads[chain] as number;
    this.#heads[chain] = slot;
    this.#older[slot] = this.#newest;
    this.#newer[slot] = NO_SLOT;
    if (this.#newest === NO_SLOT) this.#oldest = slot;
    else this.#newer[this.#newest] = slot;
    this.#newest = slot;
  }

  remove(slot: WatchSlot): void {
    const chain = this.#chainOf(this.addressAt(slot));
    const next = this.#nexts[slot] as number;
    if (this.#heads[chain] === slot) this.#heads[chain] = next;
    else {
      let before = this.#heads[chain] as number;
      while (this.#nexts[before] !== slot) before = this.#nexts[before] as number;
      this.#nexts[before] = next;
    }
    const [older, newer] = [this.#older[slot] as number, this.#newer[slot] as number];
    if (older === NO_SLOT) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NO_SLOT) this.#newest = older;
    else this.#older[newer] = older;
    this.#expiresAt[slot] = Number.NaN;
    this.#keepers[slot] = NOBODY;
    this.#free.push(slot);
  }

  /** The one that came first of those that are there. */
  get oldest(): WatchSlot | undefined {
    return this.#oldest === NO_SLOT ? undefined : this.#oldest;
  }

  /** The first slot in use from this one on. */
  from(slot: WatchSlot): WatchSlot | undefined {
    for (let at = slot; at < this.#used; at++) {
      if (!Number.isNaN(this.#expiresAt[at] as number)) return at;
    }
    return undefined;
  }

  /** A view, until the next `add`. */
  addressAt(slot: WatchSlot): Uint8Array {
    return this.#addresses.subarray(KEY_BYTES * slot, KEY_BYTES * (slot + 1));
  }

  expiresAt(slot: WatchSlot): Instant {
    return this.#expiresAt[slot] as number;
  }

  extend(slot: WatchSlot, expiresAt: Instant): void {
    this.#expiresAt[slot] = Math.max(this.expiresAt(slot), expiresAt);
  }

  keepersAt(slot: WatchSlot): readonly KeyText[] {
    return this.#keepers[slot] ?? NOBODY;
  }

  setKeepers(slot: WatchSlot, keepers: readonly KeyText[]): void {
    this.#keepers[slot] = keepers;
  }

  #fresh(): WatchSlot {
    if (this.#used === this.#slots) this.#grow();
    this.#used += 1;
    return this.#used - 1;
  }

  #grow(): void {
    const slots = Math.min(Math.max(2 * this.#slots, SLOTS_MIN), this.#capacity);
    this.#addresses = longer(this.#addresses, new Uint8Array(KEY_BYTES * slots));
    this.#expiresAt = longer(this.#expiresAt, new Float64Array(slots));
    this.#older = longer(this.#older, new Int32Array(slots));
    this.#newer = longer(this.#newer, new Int32Array(slots));
    this.#nexts = new Int32Array(slots);
    this.#heads = new Int32Array(2 ** Math.ceil(Math.log2(slots))).fill(NO_SLOT);
    this.#slots = slots;
    for (let slot = 0; slot < this.#used; slot++) {
      if (Number.isNaN(this.#expiresAt[slot] as number)) continue;
      const chain = this.#chainOf(this.addressAt(slot));
      this.#nexts[slot] = this.#heads[chain] as number;
      this.#heads[chain] = slot;
    }
  }

  #chainOf(address: Uint8Array): number {
    return this.#hash.of(address) & (this.#heads.length - 1);
  }
}

const NOBODY: readonly KeyText[] = [];

function longer<A extends Uint8Array | Int32Array | Float64Array>(from: A, to: A): A {
  to.set(from);
  return to;
}
