import { assert, shortMemory } from "../../base/index.ts";
import { RECORD_OVERHEAD_BYTES } from "./record-cipher.ts";
import { BLOCK_BYTES, giveBlock, takeBlock } from "./record-memory.ts";

/** Records from this many on are compacted away once they are acknowledged. */
const COMPACT_FROM = 64;

/**
 * The longest payload that is filled: so that half of the records lie whole in one piece of memory
 * in which udx gives packets, and what is urgent does not wait for the longest that there may be.
 */
export const FILLED_BYTES_MAX: number = BLOCK_BYTES - RECORD_OVERHEAD_BYTES;

/**
 * In the place of a record that the peer has acknowledged while it was to be repeated: the peer
 * counts what comes over a path, so that it may not be left out. It does not look at the content.
 */
export const COUNTED_AGAIN: Uint8Array = Uint8Array.of(0);
/** How many of these a peer may ask for: far more than can be acknowledged while a path is made. */
export const COUNTED_AGAIN_MAX = 65_536;

/**
 * What a record that is kept counts for at least, as it costs so much beside its bytes: a peer that
 * has a few bytes said to each word of its own must not make us keep many times what was allowed.
 */
const RECORD_COST = 200;

/**
 * The numbered records that were sent and that the peer has not acknowledged: what a new path has
 * to repeat. Numbers go up from 0 through the whole life of a link, whatever paths it takes.
 */
export class RecordLedger {
  #payloads: Uint8Array[] = [];
  /** Index of the first one in the array that is still kept. */
  #head = 0;
  #first = 0;
  #bytes = 0;

  /** The number of the oldest record that is kept. */
  get first(): number {
    return this.#first;
  }

  /** The number of the next record. */
  get next(): number {
    return this.#first + this.#payloads.length - this.#head;
  }

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What they cost in memory, or half of it. */
  get cost(): number {
    return Math.max(this.#bytes, RECORD_COST * (this.next - this.#first));
  }

  /** Memory for the payload of a record that will be added. */
  allocate(bytes: number): Uint8Array {
    const block = takeBlock(bytes);
    return block === undefined ? shortMemory(bytes) : new Uint8Array(block, 0, bytes);
  }

  /** Keeps the payload of the next record, handed over. */
  add(payload: Uint8Array): void {
    this.#payloads.push(payload);
    this.#bytes += payload.length;
  }

  /** The payload of a record that is kept. */
  get(number: number): Uint8Array {
    const payload = this.#payloads[this.#head + number - this.#first];
    assert(payload !== undefined, "the record is kept");
    return payload;
  }

  /** The peer has every record below `next`; false when that cannot be. */
  acknowledge(next: number): boolean {
    if (next < this.#first || next > this.next) return false;
    for (; this.#first < next; this.#first++, this.#head++) {
      this.#forget(this.#payloads[this.#head] as Uint8Array);
      this.#payloads[this.#head] = NOTHING;
    }
    if (this.#head >= COMPACT_FROM && 2 * this.#head >= this.#payloads.length) {
      this.#payloads = this.#payloads.slice(this.#head);
      this.#head = 0;
    }
    return true;
  }

  #forget({ length, buffer }: Uint8Array): void {
    this.#bytes -= length;
    // A shorter one shares its memory with others.
    if (2 * length >= buffer.byteLength) giveBlock(buffer);
  }
}

const NOTHING = new Uint8Array(0);
