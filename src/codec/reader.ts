import { CulvertError } from "../base/index.ts";

/**
 * Reads big-endian fields from bytes of a peer, a store or a file. Every read names its field, and
 * a read beyond the end, or a field out of its range, is a `CULVERT_PROTOCOL` error that tells
 * field and offset. It throws nothing else.
 *
 * The bytes are borrowed: `bytes` and `rest` give views of them, not copies.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Where the next read begins. */
  get offset(): number {
    return this.#offset;
  }

  /** How many bytes are left. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(field: string): number {
    return this.#number(this.#take(1, field), 1);
  }

  u16(field: string): number {
    return this.#number(this.#take(2, field), 2);
  }

  u32(field: string): number {
    return this.#number(this.#take(4, field), 4);
  }

  /** Six bytes: always a safe integer. */
  u48(field: string): number {
    return this.#number(this.#take(6, field), 6);
  }

  /** A view of the next `length` bytes. */
  bytes(length: number, field: string): Uint8Array {
    const at = this.#take(length, field);
    return this.#bytes.subarray(at, at + length);
  }

  /** A view of everything that is left. */
  rest(): Uint8Array {
    const rest = this.#bytes.subarray(this.#offset);
    this.#offset = this.#bytes.length;
    return rest;
  }

  /** @throws CulvertError `CULVERT_PROTOCOL` when bytes are left */
  expectEnd(): void {
    if (this.remaining > 0) this.refuse("end", `${this.remaining} bytes too many`);
  }

  /**
   * Refuses a field that was read but does not fit, at the offset reached.
   *
   * @throws CulvertError `CULVERT_PROTOCOL`, always
   */
  refuse(field: string, why: string): never {
    throw new CulvertError("CULVERT_PROTOCOL", `${field}: ${why}`, {
      detail: { field, offset: this.#offset },
    });
  }

  /** By hand: a DataView would cost more than a message of some bytes does otherwise. */
  #number(at: number, size: number): number {
    let value = 0;
    for (let i = at; i < at + size; i++) value = value * 256 + (this.#bytes[i] as number);
    return value;
  }

  #take(length: number, field: string): number {
    const at = this.#offset;
    // Also refuses a length that is no whole number, wherever it was computed from.
    if (!(length >= 0 && length <= this.remaining && Number.isInteger(length))) {
      this.refuse(field, `${length} bytes asked for, ${this.remaining} left`);
    }
    this.#offset = at + length;
    return at;
  }
}
