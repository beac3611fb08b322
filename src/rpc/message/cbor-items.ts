import { CulvertError, shortMemory } from "../../base/index.ts";

/** The kinds of items that a message is made of, by their CBOR major type. */
const MAJOR = { unsigned: 0, bytes: 2, text: 3, array: 4 } as const;
const FALSE = 0xf4;
const TRUE = 0xf5;

const NOTHING = new Uint8Array(0);
/** From here on UTF-8 takes more than one byte for a character. */
const ASCII_END = 0x80;

/** Messages up to this are written into memory that is kept: fresh memory costs more. */
const SCRATCH_BYTES = 4_096;
const scratch = new Uint8Array(SCRATCH_BYTES);
const scratchView = new DataView(scratch.buffer);

/**
 * Writes the items of a CBOR array one after the other, each in its one form: definite lengths,
 * shortest heads. Messages are small and of fixed layout: this takes a fifth of a general encoder.
 * One is written at a time, from the constructor to `finish`.
 */
export class ItemWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** @param bytesMax no item may go beyond; what is not used is not part of the result */
  constructor(count: number, bytesMax: number) {
    const isSmall = bytesMax <= SCRATCH_BYTES;
    this.#bytes = isSmall ? scratch : new Uint8Array(bytesMax);
    this.#view = isSmall ? scratchView : new DataView(this.#bytes.buffer);
    this.#head(MAJOR.array, count);
  }

  integer(value: number): this {
    this.#head(MAJOR.unsigned, value);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#head(MAJOR.bytes, value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  /** A text of ASCII characters, as names are: short ones cost less here than in a TextEncoder. */
  name(value: string): this {
    this.#head(MAJOR.text, value.length);
    for (let i = 0; i < value.length; i++) this.#bytes[this.#at + i] = value.charCodeAt(i);
    this.#at += value.length;
    return this;
  }

  boolean(value: boolean): this {
    this.#bytes[this.#at] = value ? TRUE : FALSE;
    this.#at += 1;
    return this;
  }

  integers(values: readonly number[]): this {
    this.#head(MAJOR.array, values.length);
    for (const value of values) this.#head(MAJOR.unsigned, value);
    return this;
  }

  /** What was written, not to be kept for long: what is short shares memory with others. */
  finish(): Uint8Array {
    const written = this.#bytes.subarray(0, this.#at);
    if (this.#bytes !== scratch) return written;
    const bytes = shortMemory(this.#at);
    bytes.set(written);
    return bytes;
  }

  #head(major: number, value: number): void {
    const [view, at] = [this.#view, this.#at];
    const type = major << 5;
    if (value < 24) {
      view.setUint8(at, type | value);
      this.#at += 1;
    } else if (value < 2 ** 8) {
      view.setUint16(at, ((type | 24) << 8) | value);
      this.#at += 2;
    } else if (value < 2 ** 16) {
      view.setUint8(at, type | 25);
      view.setUint16(at + 1, value);
      this.#at += 3;
    } else if (value < 2 ** 32) {
      view.setUint8(at, type | 26);
      view.setUint32(at + 1, value);
      this.#at += 5;
    } else {
      view.setUint8(at, type | 27);
      view.setBigUint64(at + 1, BigInt(value));
      this.#at += 9;
    }
  }
}

/**
 * Reads the items of one CBOR array that came from elsewhere, and refuses every form but the one
 * that {@link ItemWriter} writes.
 */
export class ItemReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #left: number;

  /** @throws CulvertError `CULVERT_PROTOCOL` when the bytes are no array, as each method does */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#left = this.#head(MAJOR.array, "message");
  }

  integer(field: string, max: number): number {
    this.#next(field);
    const value = this.#head(MAJOR.unsigned, field);
    if (value > max) throw broken(field, "is too large");
    return value;
  }

  /** A view of so many bytes. */
  bytes(field: string, length: number): Uint8Array {
    const at = this.#string(MAJOR.bytes, field);
    if (this.#at - at !== length) throw broken(field, "has another length");
    return this.#bytes.subarray(at, this.#at);
  }

  /** A copy of bytes, however many there are. */
  copy(field: string): Uint8Array {
    const at = this.#string(MAJOR.bytes, field);
    return at === this.#at ? NOTHING : this.#bytes.slice(at, this.#at);
  }

  /** A text of ASCII characters, `charactersMax` at most. */
  name(field: string, charactersMax: number): string {
    const at = this.#string(MAJOR.text, field);
    if (this.#at - at > charactersMax) throw broken(field, "is too long");
    const codes = new Array<number>(this.#at - at);
    for (let i = 0; i < codes.length; i++) {
      const code = this.#bytes[at + i] as number;
      if (code >= ASCII_END) throw broken(field, "is no name");
      codes[i] = code;
    }
    return String.fromCharCode.apply(null, codes);
  }

  boolean(field: string): boolean {
    this.#next(field);
    this.#need(1, field);
    const byte = this.#bytes[this.#at];
    if (byte !== TRUE && byte !== FALSE) throw broken(field, "is neither true nor false");
    this.#at += 1;
    return byte === TRUE;
  }

  integers(field: string, limits: { readonly count: number; readonly max: number }): number[] {
    this.#next(field);
    const count = this.#head(MAJOR.array, field);
    if (count > limits.count) throw broken(field, "is too long");
    const values: number[] = [];
    for (let i = 0; i < count; i++) {
      const value = this.#head(MAJOR.unsigned, field);
      if (value > limits.max) throw broken(field, "has a number that is too large");
      values.push(value);
    }
    return values;
  }

  expectEnd(): void {
    if (this.#left > 0) throw broken("message", "has too many items");
    if (this.#at < this.#bytes.length) throw broken("message", "has bytes behind it");
  }

  #next(field: string): void {
    if (this.#left === 0) throw broken(field, "is missing");
    this.#left -= 1;
  }

  /** Goes behind a string, and tells where its bytes begin. */
  #string(major: number, field: string): number {
    this.#next(field);
    const length = this.#head(major, field);
    this.#need(length, field);
    this.#at += length;
    return this.#at - length;
  }

  /** The number in a head of this type, in its shortest form. */
  #head(major: number, field: string): number {
    this.#need(1, field);
    const first = this.#bytes[this.#at] ?? 0;
    if (first >> 5 !== major) throw broken(field, "is of another type");
    const info = first & 0x1f;
    if (info < 24) {
      this.#at += 1;
      return info;
    }
    if (info > 27) throw broken(field, "has no definite length");
    const size = 1 << (info - 24);
    this.#need(1 + size, field);
    // Beyond what is exact it is beyond every limit, too.
    let value = 0;
    for (let i = 1; i <= size; i++) value = 256 * value + (this.#bytes[this.#at + i] as number);
    this.#at += 1 + size;
    const least = size === 1 ? 24 : 2 ** (4 * size);
    if (value < least) throw broken(field, "is not in its shortest form");
    return value;
  }

  #need(count: number, field: string): void {
    if (count > this.#bytes.length - this.#at) throw broken(field, "is cut short");
  }
}

/** The error about a field that is not as it has to be. */
export function broken(field: string, why: string): CulvertError {
  return new CulvertError("CULVERT_PROTOCOL", `${field} ${why}`, { detail: { field } });
}
