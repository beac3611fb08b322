import { shortMemory } from "../base/index.ts";

/** V8 keeps the bytes of so short an array beside the array itself. */
const ON_HEAP_BYTES = 64;

/**
 * Writes big-endian fields, into a buffer that grows or into one that the caller gives. A value
 * that does not fit its field, or a given buffer that is too short, is a programmer's mistake and a
 * `RangeError`: nothing is ever cut off in silence.
 *
 * Calls chain: `new Writer().u8(1).bytes(address).finish()`.
 */
export class Writer {
  #bytes: Uint8Array;
  #length = 0;
  #grows = true;

  /** @param capacity a hint of how many bytes will be written */
  constructor(capacity: number = 64) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** For what is sent soon and not kept: its memory is that of others, too, while it is short. */
  static brief(capacity: number): Writer {
    const writer = new Writer(0);
    writer.#bytes = shortMemory(capacity);
    return writer;
  }

  /** Writes into `bytes` from its beginning; it is borrowed until `finish`. */
  static into(bytes: Uint8Array): Writer {
    const writer = new Writer(0);
    writer.#bytes = bytes;
    writer.#grows = false;
    return writer;
  }

  u8(value: number): this {
    return this.#number(this.#reserve(1, value, 0xff), 1, value);
  }

  u16(value: number): this {
    return this.#number(this.#reserve(2, value, 0xffff), 2, value);
  }

  u32(value: number): this {
    return this.#number(this.#reserve(4, value, 0xffff_ffff), 4, value);
  }

  /** Six bytes. */
  u48(value: number): this {
    const at = this.#reserve(6, value, 2 ** 48 - 1);
    this.#number(at, 2, Math.floor(value / 2 ** 32));
    return this.#number(at + 2, 4, value);
  }

  /** Copies `bytes` in. */
  bytes(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length, 0, 0);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Writes `length` zero bytes. */
  zeros(length: number): this {
    const at = this.#reserve(length, length, Number.MAX_SAFE_INTEGER);
    this.#bytes.fill(0, at, at + length);
    return this;
  }

  /** What has been written, handed over; the writer must not be used after that. */
  finish(): Uint8Array {
    const bytes = this.#bytes;
    if (this.#length === bytes.length) return bytes;
    // So short an array lies on the heap until somebody makes a view of it, which costs far more.
    const isCheap = this.#grows && bytes.length <= ON_HEAP_BYTES;
    return isCheap ? bytes.slice(0, this.#length) : bytes.subarray(0, this.#length);
  }

  /**
   * The last 32 bits of a value, or fewer. By hand: a DataView would cost more than a message of
   * some bytes does otherwise.
   */
  #number(at: number, size: number, value: number): this {
    for (let i = at + size - 1, left = value; i >= at; i--, left >>>= 8) this.#bytes[i] = left;
    return this;
  }

  #reserve(size: number, value: number, valueMax: number): number {
    if (!(Number.isInteger(value) && value >= 0 && value <= valueMax)) {
      throw new RangeError(`${value} does not fit ${size} bytes`);
    }
    const at = this.#length;
    const end = at + size;
    if (end > this.#bytes.length) this.#grow(end);
    this.#length = end;
    return at;
  }

  #grow(needed: number): void {
    if (!this.#grows) throw new RangeError(`${needed} bytes do not fit the given buffer`);
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
