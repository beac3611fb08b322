/**
 * An endless text in which each byte follows from its position and a seed. The writer of a world
 * makes it as it goes and the reader checks it as it comes, so that neither ever holds the whole.
 */
export class Pattern {
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  /** The bytes from `offset` on, owned by the caller. */
  bytes(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let word = this.#wordAt(offset);
    for (let i = 0; i < length; i++) {
      const lane = (offset + i) % 4;
      if (lane === 0) word = this.#wordAt(offset + i);
      bytes[i] = word >>> (8 * lane);
    }
    return bytes;
  }

  /** The position in the text of the first byte that differs, or `undefined` when none does. */
  mismatch(offset: number, bytes: Uint8Array): number | undefined {
    let word = this.#wordAt(offset);
    for (let i = 0; i < bytes.length; i++) {
      const lane = (offset + i) % 4;
      if (lane === 0) word = this.#wordAt(offset + i);
      if (bytes[i] !== ((word >>> (8 * lane)) & 0xff)) return offset + i;
    }
    return undefined;
  }

  /** Four bytes of the text, the first one lowest. */
  #wordAt(offset: number): number {
    let word = (this.#seed + Math.imul(Math.floor(offset / 4), 0x9e3779b9)) | 0;
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return word ^ (word >>> 15);
  }
}
