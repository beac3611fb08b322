import { CulvertError } from "../base/index.ts";

const PREFIX_BYTES = 2;
const NOTHING = new Uint8Array(0);

/**
 * Finds the boxes in a byte stream in which each is preceded by its length, u16. A box that came
 * whole is a view of its chunk; one that came in pieces is gathered once, in a buffer of its size.
 */
export class RecordBuffer {
  #chunk: Uint8Array = NOTHING;
  #at = 0;
  /** The box that is being gathered; its length is known. */
  #box: Uint8Array | undefined;
  #filled = 0;
  /** The first byte of a length whose second has not come. */
  #firstByte = -1;
  /** The longest box that is taken; a longer one is an error, whatever follows. */
  boxBytesMax: number;

  constructor(boxBytesMax: number) {
    this.boxBytesMax = boxBytesMax;
  }

  /** Adds a chunk, handed over; everything before must have been taken. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** Whether a record has begun that has not come to its end. */
  get isAmid(): boolean {
    return this.#box !== undefined || this.#firstByte >= 0 || this.#at < this.#chunk.length;
  }

  /**
   * The next box, or `undefined` until more comes.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` for a box that is longer than allowed
   */
  take(): Uint8Array | undefined {
    if (this.#box === undefined) {
      const length = this.#length();
      if (length === undefined) return undefined;
      if (this.#at + length <= this.#chunk.length) {
        this.#at += length;
        return this.#chunk.subarray(this.#at - length, this.#at);
      }
      this.#box = new Uint8Array(length);
      this.#filled = 0;
    }
    return this.#gather(this.#box);
  }

  #gather(box: Uint8Array): Uint8Array | undefined {
    const end = this.#at + box.length - this.#filled;
    // A view costs more than the copy of what fits a packet: most chunks are taken as they are.
    const isWhole = this.#at === 0 && end >= this.#chunk.length;
    const piece = isWhole ? this.#chunk : this.#chunk.subarray(this.#at, end);
    box.set(piece, this.#filled);
    this.#filled += piece.length;
    this.#at += piece.length;
    if (this.#filled < box.length) {
      this.#chunk = NOTHING;
      this.#at = 0;
      return undefined;
    }
    this.#box = undefined;
    return box;
  }

  #length(): number | undefined {
    const bytes = this.#chunk;
    if (this.#firstByte < 0 && bytes.length - this.#at >= PREFIX_BYTES) {
      const length = (bytes[this.#at] as number) * 256 + (bytes[this.#at + 1] as number);
      this.#at += PREFIX_BYTES;
      return this.#checked(length);
    }
    if (this.#at >= bytes.length) return undefined;
    const byte = bytes[this.#at++] as number;
    if (this.#firstByte < 0) {
      this.#firstByte = byte;
      return undefined;
    }
    const length = this.#firstByte * 256 + byte;
    this.#firstByte = -1;
    return this.#checked(length);
  }

  #checked(length: number): number {
    if (length <= this.boxBytesMax) return length;
    const detail = { field: "record length", length, limit: this.boxBytesMax };
    throw new CulvertError("CULVERT_PROTOCOL", "a record is too long", { detail });
  }
}
