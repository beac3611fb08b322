import { assert, KeyedHash } from "../../base/index.ts";
import { ADDRESS_BYTES } from "../record/record.ts";
import type { SlotNumber } from "./record-slots.ts";

/** Where a record's bytes are, and until when it is kept (Unix milliseconds). */
export interface IndexedRecord {
  readonly slot: SlotNumber;
  readonly length: number;
  readonly expiresMs: number;
}

/** Names an entry, until another one is added or taken out. */
export type EntryNumber = number;

const NONE = -1;
const CAPACITY_MIN = 64;

/**
 * The records of a store in memory, found by address and by which expires first. All of it lies in
 * arrays of numbers: some 80 bytes a record, which the collector does not look at. As objects of a
 * `Map` they were half of what it had to move while a stream went by.
 *
 * Found by chains over a keyed hash: strangers choose the addresses. The queue is a binary heap of
 * expiries as they were: a longer life is queued again when the shorter one is over.
 */
export class RecordIndex {
  readonly #hash: KeyedHash;
  #capacity = 0;
  #addresses = new Uint8Array(0);
  #hashes = new Uint32Array(0);
  #slots = new Uint32Array(0);
  #lengths = new Uint32Array(0);
  #expiresMs = new Float64Array(0);
  /** The first record of each chain, and the next one of each record. */
  #heads = new Int32Array(0);
  #nexts = new Int32Array(0);
  /** The heap, and by what it is ordered. */
  #queue = new Uint32Array(0);
  #dueMs = new Float64Array(0);
  #size = 0;
  /** Numbers below this were used; those of them that name no record now wait in `#free`. */
  #used = 0;
  readonly #free: EntryNumber[] = [];

  /** @param secret 16 bytes that keep strangers from choosing addresses of one chain */
  constructor(secret: Uint8Array) {
    this.#hash = new KeyedHash(secret);
  }

  get size(): number {
    return this.#size;
  }

  /** Whether an entry has expired by then, or has to be queued again. */
  hasDue(nowMs: number): boolean {
    return this.#size > 0 && (this.#dueMs[this.#queue[0] as number] as number) <= nowMs;
  }

  find(address: Uint8Array): EntryNumber | undefined {
    assert(address.length === ADDRESS_BYTES, "an address has its length");
    if (this.#size === 0) return undefined;
    const hash = this.#hash.of(address);
    let entry = this.#heads[hash & (this.#heads.length - 1)] as number;
    while (entry !== NONE && !(this.#hashes[entry] === hash && this.#isAt(entry, address))) {
      entry = this.#nexts[entry] as number;
    }
    return entry === NONE ? undefined : entry;
  }

  at(entry: EntryNumber): IndexedRecord {
    return {
      slot: this.#slots[entry] as number,
      length: this.#lengths[entry] as number,
      expiresMs: this.#expiresMs[entry] as number,
    };
  }

  /** Takes a record in whose address is new, and copied. */
  add(address: Uint8Array, record: IndexedRecord): void {
    assert(address.length === ADDRESS_BYTES, "an address has its length");
    if (this.#size === this.#capacity) this.#resize(Math.max(2 * this.#size, CAPACITY_MIN));
    const entry = this.#free.pop() ?? this.#used++;
    this.#addresses.set(address, ADDRESS_BYTES * entry);
    this.#hashes[entry] = this.#hash.of(address);
    this.#link(entry);
    this.replace(entry, record);
    this.#dueMs[entry] = record.expiresMs;
    this.#size += 1;
    this.#rise(entry, this.#size - 1);
  }

  /** Puts another record in the place of one, of the same address. */
  replace(entry: EntryNumber, { slot, length, expiresMs }: IndexedRecord): void {
    this.#slots[entry] = slot;
    this.#lengths[entry] = length;
    this.#expiresMs[entry] = expiresMs;
  }

  /** Takes out, and tells of, the one that has been expired for longest by then, if any is. */
  takeExpired(nowMs: number): IndexedRecord | "queued again" | undefined {
    if (!this.hasDue(nowMs)) return undefined;
    const entry = this.#queue[0] as number;
    const record = this.at(entry);
    if (record.expiresMs > nowMs) {
      this.#dueMs[entry] = record.expiresMs;
      this.#sink(entry);
      return "queued again";
    }
    this.#size -= 1;
    this.#unlink(entry);
    this.#free.push(entry);
    if (this.#size > 0) this.#sink(this.#queue[this.#size] as number);
    if (8 * this.#size < this.#capacity && this.#capacity > CAPACITY_MIN) {
      this.#resize(this.#capacity / 2);
    }
    return record;
  }

  #isAt(entry: EntryNumber, address: Uint8Array): boolean {
    const from = ADDRESS_BYTES * entry;
    for (let i = 0; i < ADDRESS_BYTES; i++) {
      if (this.#addresses[from + i] !== address[i]) return false;
    }
    return true;
  }

  #link(entry: EntryNumber): void {
    const chain = this.#chainOf(entry);
    this.#nexts[entry] = this.#heads[chain] as number;
    this.#heads[chain] = entry;
  }

  #unlink(entry: EntryNumber): void {
    const chain = this.#chainOf(entry);
    const next = this.#nexts[entry] as number;
    let before = this.#heads[chain] as number;
    if (before === entry) {
      this.#heads[chain] = next;
      return;
    }
    while (this.#nexts[before] !== entry) before = this.#nexts[before] as number;
    this.#nexts[before] = next;
  }

  #chainOf(entry: EntryNumber): number {
    return (this.#hashes[entry] as number) & (this.#heads.length - 1);
  }

  /** Puts `entry` at a free place of the heap, or above as far as it is due before what is there. */
  #rise(entry: EntryNumber, from: number): void {
    const [queue, dueMs] = [this.#queue, this.#dueMs];
    const due = dueMs[entry] as number;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = queue[parent] as number;
      if (due >= (dueMs[above] as number)) break;
      queue[at] = above;
      at = parent;
    }
    queue[at] = entry;
  }

  /** Puts `entry` where the first one was: down to a leaf with the gap, and up from there. */
  #sink(entry: EntryNumber): void {
    const [queue, dueMs, size] = [this.#queue, this.#dueMs, this.#size];
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      const right = child + 1;
      const isRightFirst =
        right < size &&
        (dueMs[queue[right] as number] as number) < (dueMs[queue[child] as number] as number);
      if (isRightFirst) child = right;
      queue[at] = queue[child] as number;
      at = child;
    }
    this.#rise(entry, at);
  }

  /** Numbers all entries anew, by their places in the heap, in arrays of another length. */
  #resize(capacity: number): void {
    const order = this.#queue.subarray(0, this.#size);
    const from = this.#addresses;
    this.#addresses = new Uint8Array(ADDRESS_BYTES * capacity);
    for (let at = 0; at < order.length; at++) {
      const start = ADDRESS_BYTES * (order[at] as number);
      this.#addresses.set(from.subarray(start, start + ADDRESS_BYTES), ADDRESS_BYTES * at);
    }
    this.#hashes = inOrder(this.#hashes, order, new Uint32Array(capacity));
    this.#slots = inOrder(this.#slots, order, new Uint32Array(capacity));
    this.#lengths = inOrder(this.#lengths, order, new Uint32Array(capacity));
    this.#expiresMs = inOrder(this.#expiresMs, order, new Float64Array(capacity));
    this.#dueMs = inOrder(this.#dueMs, order, new Float64Array(capacity));
    this.#queue = new Uint32Array(capacity).map((_, at) => at);
    this.#nexts = new Int32Array(capacity);
    this.#heads = new Int32Array(capacity).fill(NONE);
    this.#capacity = capacity;
    this.#free.length = 0;
    this.#used = this.#size;
    for (let entry = 0; entry < this.#size; entry++) this.#link(entry);
  }
}

/** What `from` has of the entries, in this order. */
function inOrder<A extends Uint32Array | Float64Array>(from: A, order: Uint32Array, to: A): A {
  for (let at = 0; at < order.length; at++) to[at] = from[order[at] as number] as number;
  return to;
}
