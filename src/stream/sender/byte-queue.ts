/** The longest copy whose memory is used for the next one. */
const SPARE_BYTES_MAX = 262_144;

/**
 * Bytes waiting to be framed, first in, first out. A chunk is borrowed until `own` copies what is
 * left of it: nobody may change it before that.
 */
export class ByteQueue {
  readonly #chunks: Uint8Array[] = [];
  #first = 0;
  #offset = 0;
  #length = 0;
  /** How many of the last chunks are not ours. */
  #borrowed = 0;
  /** Memory of a copy that was taken, while others wait: fresh memory costs as much as sealing. */
  #spare: Uint8Array | undefined;

  /** Bytes in the queue. */
  get length(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    this.#borrowed += 1;
  }

  /** Copies what is left of the chunks that were pushed since the last time. */
  own(): void {
    const count = Math.min(this.#borrowed, this.#chunks.length - this.#first);
    for (let i = this.#chunks.length - count; i < this.#chunks.length; i++) {
      const chunk = this.#chunks[i] as Uint8Array;
      this.#chunks[i] = this.#copyOf(i === this.#first ? chunk.subarray(this.#offset) : chunk);
      if (i === this.#first) this.#offset = 0;
    }
    this.#borrowed = 0;
  }

  /**
   * Takes up to `max` bytes out: where they lie in one chunk a view, borrowed until the next `own`,
   * else a copy.
   */
  take(max: number): Uint8Array {
    const length = Math.min(max, this.#length);
    const chunk = this.#chunks[this.#first];
    if (chunk === undefined || chunk.length - this.#offset < length) {
      const bytes = new Uint8Array(length);
      this.takeInto(bytes);
      return bytes;
    }
    const bytes = chunk.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    this.#length -= length;
    if (this.#offset === chunk.length) this.#dropFirst();
    return bytes;
  }

  /** Moves up to `target.length` bytes into `target` and says how many. */
  takeInto(target: Uint8Array): number {
    let filled = 0;
    while (filled < target.length) {
      const chunk = this.#chunks[this.#first];
      if (chunk === undefined) break;
      const count = Math.min(chunk.length - this.#offset, target.length - filled);
      target.set(chunk.subarray(this.#offset, this.#offset + count), filled);
      filled += count;
      this.#offset += count;
      if (this.#offset === chunk.length) this.#dropFirst();
    }
    this.#length -= filled;
    return filled;
  }

  /** A copy of everything, leaving the queue as it is. */
  copy(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (let i = this.#first; at < all.length; i++) {
      const chunk = this.#chunks[i] as Uint8Array;
      const from = i === this.#first ? this.#offset : 0;
      const piece = chunk.subarray(from);
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#first = 0;
    this.#offset = 0;
    this.#length = 0;
    this.#borrowed = 0;
    this.#spare = undefined;
  }

  #copyOf(bytes: Uint8Array): Uint8Array {
    const spare = this.#spare;
    if (spare === undefined || spare.length < bytes.length) return new Uint8Array(bytes);
    this.#spare = undefined;
    const copy = spare.subarray(0, bytes.length);
    copy.set(bytes);
    return copy;
  }

  #dropFirst(): void {
    this.#reuse(this.#chunks[this.#first] as Uint8Array);
    this.#chunks[this.#first] = new Uint8Array(0);
    this.#first += 1;
    this.#offset = 0;
    // Compacting rarely keeps both memory and the cost per byte constant.
    if (this.#first > 64 && this.#first * 2 > this.#chunks.length) {
      this.#chunks.splice(0, this.#first);
      this.#first = 0;
    }
  }

  /** Keeps the memory of the first chunk, if it is ours; an empty queue keeps none. */
  #reuse(chunk: Uint8Array): void {
    const left = this.#chunks.length - this.#first;
    const isOurs = left > this.#borrowed && chunk.buffer.byteLength <= SPARE_BYTES_MAX;
    if (left === 1) this.#spare = undefined;
    else if (isOurs) this.#spare = new Uint8Array(chunk.buffer);
  }
}
