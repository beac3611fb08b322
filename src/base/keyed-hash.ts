import { assert } from "./assert.ts";

/** Bytes of the secret. */
const HASH_SECRET_BYTES = 16;

/**
 * A hash of 32 bits for tables of ours, fast and not cryptographic. It keeps apart what nobody can
 * choose bit by bit, such as public keys and hashes, for who does not know the secret.
 */
export class KeyedHash {
  /** In a list: whoever has many of these would pay six times the memory for a typed array. */
  readonly #words: readonly number[];

  /** @param secret 16 random bytes */
  constructor(secret: Uint8Array) {
    assert(secret.length === HASH_SECRET_BYTES, "the secret has four words");
    this.#words = Array.from({ length: 4 }, (_, i) => wordAt(secret, 4 * i));
  }

  /**
   * The hash of bytes of a fixed length, a multiple of four: 0 to 2^32 - 1. The secret enters from
   * the second word on.
   */
  of(bytes: Uint8Array): number {
    const words = this.#words;
    let hash = words[0] as number;
    for (let at = 0; at < bytes.length; at += 4) {
      const word = wordAt(bytes, at);
      hash = Math.imul(hash ^ word ^ (words[(at >>> 2) & 3] as number), 0x9e3779b1);
      hash ^= hash >>> 15;
      hash = Math.imul(hash, 0x85ebca77);
      hash ^= hash >>> 13;
    }
    return hash >>> 0;
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  return low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}
