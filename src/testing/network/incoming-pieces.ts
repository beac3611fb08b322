/** What a reader who does not read lets come before the writer has to wait. */
const ROOM_BYTES = 262_144;

/** The receiving half of a virtual connection: pieces come in any order and leave in theirs. */
export class IncomingPieces {
  readonly #pieces = new Map<number, Uint8Array>();
  #heldBytes = 0;
  #next = 0;
  #below = 0;
  #endIndex = Number.POSITIVE_INFINITY;

  /** Every piece below this index has come. */
  get below(): number {
    return this.#below;
  }

  /** Whether everything up to the end has come, and has been taken. */
  get isEnded(): boolean {
    return this.#next > this.#endIndex;
  }

  /** What the writer may have under way. */
  get roomBytes(): number {
    return Math.max(ROOM_BYTES - this.#heldBytes, 0);
  }

  /** Takes a piece in; false when there is no room for it. */
  put(index: number, bytes: Uint8Array, isEnd: boolean): boolean {
    if (index < this.#below || this.#pieces.has(index)) return true;
    // One that is taken at once needs no room.
    const isNext = index === this.#next && this.#heldBytes === 0;
    if (!isNext && this.#heldBytes + bytes.length > ROOM_BYTES) return false;
    if (isEnd) this.#endIndex = index;
    this.#pieces.set(index, bytes);
    this.#heldBytes += bytes.length;
    while (this.#pieces.has(this.#below)) this.#below += 1;
    return true;
  }

  /** Takes the next piece in order; `undefined` when it has not come. */
  take(): Uint8Array | undefined {
    const bytes = this.#pieces.get(this.#next);
    if (bytes === undefined) return undefined;
    this.#pieces.delete(this.#next);
    this.#heldBytes -= bytes.length;
    this.#next += 1;
    return bytes;
  }
}
