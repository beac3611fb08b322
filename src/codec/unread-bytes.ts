const CAPACITY_MIN = 256;

/**
 * Bytes that come in pieces of any size and leave in runs of other sizes. Each one is copied a few
 * times at most, and memory stays within twice what is unread.
 */
export class UnreadBytes {
  #buffer: Uint8Array = new Uint8Array(0);
  /** The buffer is ours to write into, and not a piece. */
  #isOwn = true;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Takes a piece over; it must not be changed any more. */
  push(piece: Uint8Array): void {
    if (this.length === 0) {
      this.#buffer = piece;
      this.#isOwn = false;
      this.#start = 0;
      this.#end = piece.length;
      return;
    }
    if (!this.#isOwn || this.#end + piece.length > this.#buffer.length) this.#move(piece.length);
    this.#buffer.set(piece, this.#end);
    this.#end += piece.length;
  }

  peek(): number | undefined {
    return this.#start < this.#end ? this.#buffer[this.#start] : undefined;
  }

  /** The number in the next two bytes, which stay; `undefined` when they are not here. */
  peekU16(): number | undefined {
    if (this.length < 2) return undefined;
    const [high = 0, low = 0] = [this.#buffer[this.#start], this.#buffer[this.#start + 1]];
    return 256 * high + low;
  }

  /** The next `length` bytes, which have to be there: a view, which is never written to again. */
  take(length: number): Uint8Array {
    this.#start += length;
    return this.#buffer.subarray(this.#start - length, this.#start);
  }

  /** The number in the next four bytes, which have to be there. */
  takeU32(): number {
    let value = 0;
    for (let i = 0; i < 4; i++) value = 256 * value + (this.#buffer[this.#start + i] as number);
    this.#start += 4;
    return value;
  }

  /** Makes room for some more behind what is unread. */
  #move(more: number): void {
    const unread = this.#buffer.subarray(this.#start, this.#end);
    const capacity = Math.max(2 * (unread.length + more), CAPACITY_MIN);
    this.#buffer = new Uint8Array(capacity);
    this.#buffer.set(unread);
    this.#isOwn = true;
    this.#start = 0;
    this.#end = unread.length;
  }
}
