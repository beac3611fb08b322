import { assert } from "../../base/index.ts";
import { type MapRecord, RECORD_HEADER_BYTES, recordIn, writeRecord } from "../record/record.ts";

/** Memory that is taken at once: some dozens of the largest records, a thousand small ones. */
const SLAB_BYTES = 1_048_576;

/** The number of a slot: that of its slab, and its place in there. */
export type SlotNumber = number;

/** Memory for so many records, and which of its slots are free, as a stack. */
interface Slab {
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly free: SlotNumber[];
}

/**
 * Memory for records of one size, which is used again. A buffer for each of them would be four
 * objects of the engine, that live long enough to be moved twice; and it counts what lies off its
 * heap, and marks all that is on it each time when some 30 MB of that have come and gone.
 */
export class RecordSlots {
  readonly #slotBytes: number;
  readonly #slotsOfSlab: number;
  readonly #slabs: (Slab | undefined)[] = [];
  /** Slabs that have a free slot; the last one is used first. */
  readonly #withRoom: Slab[] = [];
  /** Numbers of slabs that were given back. */
  readonly #unused: number[] = [];
  /** Slabs that are here and have no record. */
  #empty = 0;

  /** @param payloadSize of the longest record */
  constructor(payloadSize: number) {
    this.#slotBytes = RECORD_HEADER_BYTES + payloadSize;
    this.#slotsOfSlab = Math.max(Math.floor(SLAB_BYTES / this.#slotBytes), 1);
  }

  /** Copies a record into a free slot. */
  add(record: MapRecord): SlotNumber {
    const length = RECORD_HEADER_BYTES + record.payload.length;
    assert(length <= this.#slotBytes, "a record fits its slot");
    const slab = this.#withRoom.at(-1) ?? this.#grow();
    if (this.#isEmpty(slab)) this.#empty -= 1;
    const slot = slab.free.pop();
    assert(slot !== undefined, "a slab with room has a free slot");
    if (slab.free.length === 0) this.#withRoom.pop();
    writeRecord(record, slab.bytes, this.#startOf(slot));
    return slot;
  }

  /** The record of so many bytes in a slot: borrowed until the slot has another one. */
  read(slot: SlotNumber, length: number): MapRecord {
    const at = this.#startOf(slot);
    return recordIn(this.#slabOf(slot).bytes.subarray(at, at + length));
  }

  /**
   * The slot is free again. A slab without a record is given back when most are: where as much
   * comes as goes, one after the other empties, and would be needed again at once.
   */
  free(slot: SlotNumber): void {
    const slab = this.#slabOf(slot);
    if (slab.free.length === 0) this.#withRoom.push(slab);
    slab.free.push(slot);
    if (!this.#isEmpty(slab)) return;
    this.#empty += 1;
    const here = this.#slabs.length - this.#unused.length;
    if (2 * this.#empty <= here + 1) return;
    this.#empty -= 1;
    this.#withRoom.splice(this.#withRoom.indexOf(slab), 1);
    this.#slabs[slab.number] = undefined;
    this.#unused.push(slab.number);
  }

  #isEmpty(slab: Slab): boolean {
    return slab.free.length === this.#slotsOfSlab;
  }

  #slabOf(slot: SlotNumber): Slab {
    const slab = this.#slabs[Math.floor(slot / this.#slotsOfSlab)];
    assert(slab !== undefined, "a slot in use has its slab");
    return slab;
  }

  /** Where a slot begins in its slab. */
  #startOf(slot: SlotNumber): number {
    return (slot % this.#slotsOfSlab) * this.#slotBytes;
  }

  #grow(): Slab {
    const count = this.#slotsOfSlab;
    const number = this.#unused.pop() ?? this.#slabs.length;
    const free = Array.from({ length: count }, (_, i) => (number + 1) * count - 1 - i);
    const slab = { number, bytes: new Uint8Array(count * this.#slotBytes), free };
    this.#slabs[number] = slab;
    this.#withRoom.push(slab);
    this.#empty += 1;
    return slab;
  }
}
