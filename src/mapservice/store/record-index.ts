import type { AddressHash } from "../record/address-hash.ts";
import { type AddressNumber, AddressTable, resized } from "../record/address-table.ts";
import type { SlotNumber } from "./record-slots.ts";

/** Where a record's bytes are, and until when it is kept (Unix milliseconds). */
export interface IndexedRecord {
  readonly slot: SlotNumber;
  readonly length: number;
  readonly expiresMs: number;
}

/** Names an entry, until another one is added or taken out. */
export type EntryNumber = AddressNumber;

/** A smaller index is not made smaller still. */
const CAPACITY_MIN = 1_024;

/**
 * The records of a store in memory, found by address and by which expires first. All of it lies in
 * arrays of numbers: some 90 bytes a record, which the collector does not look at. As objects of a
 * `Map` they were half of what it had to move while a stream went by.
 *
 * The queue is a binary heap of expiries as they were: a longer life is queued again when the
 * shorter one is over.
 */
export class RecordIndex {
  readonly #hash: AddressHash;
  #table: AddressTable;
  #slots = new Uint32Array(0);
  #lengths = new Uint32Array(0);
  #expiresMs = new Float64Array(0);
  /** The heap, and by what it is ordered. */
  #queue = new Uint32Array(0);
  #dueMs = new Float64Array(0);

  /** @param hash under a secret that strangers do not know */
  constructor(hash: AddressHash) {
    this.#hash = hash;
    this.#table = new AddressTable(hash);
  }

  get size(): number {
    return this.#table.size;
  }

  /** Whether an entry has expired by then, or has to be queued again. */
  hasDue(nowMs: number): boolean {
    return this.size > 0 && (this.#dueMs[this.#queue[0] as number] as number) <= nowMs;
  }

  find(address: Uint8Array): EntryNumber | undefined {
    return this.#table.find(address);
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
    const entry = this.#table.findOrAdd(address);
    if (entry >= this.#slots.length) this.#extend();
    this.replace(entry, record);
    this.#dueMs[entry] = record.expiresMs;
    this.#rise(entry, this.size - 1);
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
    this.#table.remove(entry);
    if (this.size > 0) this.#sink(this.#queue[this.size] as number);
    const { length } = this.#slots;
    if (length > CAPACITY_MIN && 8 * this.size < length) this.#shrink();
    return record;
  }

  /** Puts an entry at a free place of the heap, or above, as far as it is due before others. */
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

  /** Puts an entry where the first one was: down to a leaf with the gap, and up from there. */
  #sink(entry: EntryNumber): void {
    const [queue, dueMs, size] = [this.#queue, this.#dueMs, this.size];
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

  #extend(): void {
    const { capacity } = this.#table;
    this.#slots = resized(this.#slots, new Uint32Array(capacity));
    this.#lengths = resized(this.#lengths, new Uint32Array(capacity));
    this.#expiresMs = resized(this.#expiresMs, new Float64Array(capacity));
    this.#dueMs = resized(this.#dueMs, new Float64Array(capacity));
    this.#queue = resized(this.#queue, new Uint32Array(capacity));
  }

  /** Begins anew, in less memory, with the entries in the order of the heap: it is one then too. */
  #shrink(): void {
    const smaller = new RecordIndex(this.#hash);
    for (let at = 0; at < this.size; at++) {
      const entry = this.#queue[at] as number;
      const dueMs = this.#dueMs[entry] as number;
      smaller.add(this.#table.addressOf(entry), { ...this.at(entry), expiresMs: dueMs });
      smaller.#expiresMs[at] = this.#expiresMs[entry] as number;
    }
    this.#table = smaller.#table;
    this.#slots = smaller.#slots;
    this.#lengths = smaller.#lengths;
    this.#expiresMs = smaller.#expiresMs;
    this.#queue = smaller.#queue;
    this.#dueMs = smaller.#dueMs;
  }
}
