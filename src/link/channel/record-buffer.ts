import { CulvertError } from "../../base/index.ts";
import { rawMemory } from "../../io/memory.ts";

const PREFIX_BYTES = 2;
const NOTHING = new Uint8Array(0);

/**
 * Finds the boxes in a byte stream in which each is preceded by its length, u16. A box whose bytes
 * lie in one piece of memory is a view of it, also when they came in many chunks: udx puts packets
 * one behind the other. One that does not is gathered once, in a buffer of its size.
 */
export class RecordBuffer {
  /** All of the memory that the newest chunk lies in, and what of it has not been taken. */
  #memory: Uint8Array = NOTHING;
  #at = 0;
  #end = 0;
  /** The box that is being gathered. */
  #box: Uint8Array | undefined;
  #filled = 0;
  /** The first byte of a length whose second lies elsewhere. */
  #firstByte = -1;
  /** The longest box that is taken; a longer one is an error, whatever follows. */
  boxBytesMax: number;

  constructor(boxBytesMax: number) {
    this.boxBytesMax = boxBytesMax;
  }

  /** Adds a chunk, handed over; whatever was ready before must have been taken. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    const { buffer, byteOffset } = chunk;
    const isBehind = buffer === this.#memory.buffer && byteOffset === this.#end;
    if (!isBehind) {
      this.#setAside();
      if (buffer !== this.#memory.buffer) this.#memory = new Uint8Array(buffer);
      this.#at = byteOffset;
    }
    this.#end = byteOffset + chunk.length;
    if (this.#box !== undefined) this.#gather(this.#box);
  }

  /** Adds a chunk if no box is ready after it; otherwise it does nothing. */
  absorb(chunk: Uint8Array): boolean {
    const missing = this.#missing();
    if (missing === undefined || chunk.length >= missing) return false;
    this.push(chunk);
    return true;
  }

  /** With fewer bytes no box is ready, nor refused; at least one. */
  get missingBytes(): number {
    return Math.max(this.#missing() ?? 1, 1);
  }

  /** Bytes until the next box is ready; `undefined` when its length is not known, or refused. */
  #missing(): number | undefined {
    if (this.#box !== undefined) return this.#box.length - this.#filled;
    const length = this.#length();
    if (length === undefined || length > this.boxBytesMax) return undefined;
    return length - (this.#end - this.#at - this.#prefixBytes);
  }

  /** Whether {@link take} has something to give, or to refuse. */
  get isReady(): boolean {
    if (this.#box !== undefined) return this.#filled === this.#box.length;
    const length = this.#length();
    return length !== undefined && (length > this.boxBytesMax || this.#isWhole(length));
  }

  /** Whether a record has begun that has not come to its end. */
  get isAmid(): boolean {
    return this.#box !== undefined || this.#firstByte >= 0 || this.#at < this.#end;
  }

  /**
   * The next box, or `undefined` until more comes.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` for a box that is longer than allowed
   */
  take(): Uint8Array | undefined {
    if (!this.isReady) return undefined;
    const gathered = this.#box;
    if (gathered !== undefined) {
      this.#box = undefined;
      return gathered;
    }
    const length = this.#checked(this.#length() ?? 0);
    this.#skipPrefix();
    this.#at += length;
    return this.#memory.subarray(this.#at - length, this.#at);
  }

  /** The length of the next box, as soon as both of its bytes are there. */
  #length(): number | undefined {
    const [high = 0, low = 0] = [this.#memory[this.#at], this.#memory[this.#at + 1]];
    const left = this.#end - this.#at;
    if (this.#firstByte >= 0) return left > 0 ? this.#firstByte * 256 + high : undefined;
    return left >= PREFIX_BYTES ? high * 256 + low : undefined;
  }

  #isWhole(length: number): boolean {
    return this.#end - this.#at - this.#prefixBytes >= length;
  }

  get #prefixBytes(): number {
    return this.#firstByte >= 0 ? PREFIX_BYTES - 1 : PREFIX_BYTES;
  }

  #skipPrefix(): void {
    this.#at += this.#prefixBytes;
    this.#firstByte = -1;
  }

  /** What was not taken is copied: the next chunk lies elsewhere. */
  #setAside(): void {
    if (this.#at === this.#end) return;
    const length = this.#length();
    if (length === undefined) this.#firstByte = this.#memory[this.#at] ?? 0;
    else {
      this.#skipPrefix();
      this.#box = new Uint8Array(rawMemory(this.#checked(length)));
      this.#filled = 0;
      this.#gather(this.#box);
    }
    this.#at = this.#end;
  }

  #gather(box: Uint8Array): void {
    const bytes = Math.min(box.length - this.#filled, this.#end - this.#at);
    box.set(this.#memory.subarray(this.#at, this.#at + bytes), this.#filled);
    this.#filled += bytes;
    this.#at += bytes;
  }

  #checked(length: number): number {
    if (length <= this.boxBytesMax) return length;
    const detail = { field: "record length", length, limit: this.boxBytesMax };
    throw new CulvertError("CULVERT_PROTOCOL", "a record is too long", { detail });
  }
}
