import type { Readable } from "node:stream";
import { apart } from "../../io/defer.ts";

/** What Node's streams know of their decoder; nothing public tells it. */
interface Decoding {
  readonly decoder?: { readonly lastNeed: number; readonly lastTotal: number } | null;
}

/** A piece that became text, and how much of a character was left in the decoder behind it. */
interface Piece {
  readonly bytes: number;
  readonly characters: number;
  readonly heldBytes: number;
}

/** Pushes bytes into a stream and tells which of them its application was not given. */
export class WaitingBytes {
  readonly #stream: Readable;
  /** Those of whose text some waits, and all behind them. */
  #pieces: Piece[] = [];
  #bytes = 0;
  #characters = 0;
  /** Of a character, in front of the first of them. */
  #heldBytes = 0;

  constructor(stream: Readable) {
    this.#stream = stream;
  }

  push(bytes: Uint8Array): void {
    const before = this.#stream.readableLength;
    const heldBefore = this.#heldNow;
    apart(() => this.#stream.push(bytes));
    if (this.#stream.readableEncoding === null) return;
    // What came before `setEncoding` is no piece, and may have left a part of a character.
    if (this.#pieces.length === 0) this.#heldBytes = heldBefore;
    const characters = this.#stream.readableLength - before;
    this.#pieces.push({ bytes: bytes.length, characters, heldBytes: this.#heldNow });
    this.#bytes += bytes.length;
    this.#characters += characters;
    this.#forgetTaken();
  }

  /**
   * Bytes that the stream was given and its application was not: those in the readable buffer. Of
   * text that waits, all bytes that came with it count, and a part of a character that waits in the
   * decoder for the rest; `Infinity` when it is not known what came with it.
   */
  get count(): number {
    const { readableLength, readableEncoding } = this.#stream;
    if (readableEncoding === null) return readableLength;
    this.#forgetTaken();
    if (readableLength === 0) return this.#heldNow;
    const isKnown = readableLength <= this.#characters;
    return isKnown ? this.#bytes + this.#heldBytes : Number.POSITIVE_INFINITY;
  }

  /** Drops the pieces in front of those with which the text came that waits. */
  #forgetTaken(): void {
    const { readableLength } = this.#stream;
    for (let first = this.#pieces[0]; first !== undefined; first = this.#pieces[0]) {
      if (this.#characters - first.characters < readableLength) return;
      this.#pieces.shift();
      this.#bytes -= first.bytes;
      this.#characters -= first.characters;
      this.#heldBytes = first.heldBytes;
    }
  }

  get #heldNow(): number {
    const { decoder } = (this.#stream as Readable & { readonly _readableState: Decoding })
      ._readableState;
    return decoder ? decoder.lastTotal - decoder.lastNeed : 0;
  }
}
