import { assert } from "../base/index.ts";
import { DOMAIN, KEY_BLOCK_BYTES, type OnionSuite } from "./suite.ts";

/** Bytes of a wide-block key: 32 for the stream rounds, 32 for the hash rounds. */
export const WIDE_BLOCK_KEY_BYTES = 64;

/** Bytes of a tweak. */
export const TWEAK_BYTES = 32;

/** The tweak of a key that enciphers one block only. */
export const FIRST_TWEAK: Uint8Array = new Uint8Array(TWEAK_BYTES);

/** The short side of the Feistel network. */
const LEFT_BYTES = 32;

/** Room for the long side behind a key block; nothing here outlives one call. */
let scratch = new Uint8Array(0);

/**
 * LIONESS (Anderson and Biham, 1996) with ChaCha20 and a keyed BLAKE2b: a permutation of whole
 * blocks. A changed bit anywhere changes every bit of the result, so nothing can be tagged.
 *
 * The tweak enters every round. Each call answers with a next tweak that depends on key, tweak and
 * every bit of the block (the upper half of the middle hash, which is computed anyway): blocks that
 * are chained by it open in order, once and unchanged, or not at all, and so do all that follow.
 */
export class WideBlock {
  readonly #suite: OnionSuite;
  readonly #streamKey: Uint8Array;
  readonly #hashKey: Uint8Array;
  readonly #roundKey = new Uint8Array(32);
  readonly #nonce = new Uint8Array(12);

  /** @param key 64 bytes, copied */
  constructor(suite: OnionSuite, key: Uint8Array) {
    assert(key.length === WIDE_BLOCK_KEY_BYTES, "a wide-block key has its length");
    this.#suite = suite;
    this.#streamKey = key.slice(0, 32);
    this.#hashKey = key.slice(32);
  }

  /** Enciphers `block` where it lies; the next tweak. */
  encrypt(block: Uint8Array, tweak: Uint8Array = FIRST_TWEAK): Uint8Array {
    const left = block.subarray(0, LEFT_BYTES);
    const long = this.#open(block, tweak);
    this.#stream(1, left, long, tweak);
    const middle = this.#hash(DOMAIN.wideBlockMiddle, block.length);
    xorInto(left, middle);
    this.#stream(3, left, long, tweak);
    xorInto(left, this.#hash(DOMAIN.wideBlockLast, block.length));
    block.set(long, LEFT_BYTES);
    return middle.subarray(32);
  }

  /** Undoes {@link encrypt}, and answers with the same next tweak. */
  decrypt(block: Uint8Array, tweak: Uint8Array = FIRST_TWEAK): Uint8Array {
    const left = block.subarray(0, LEFT_BYTES);
    const long = this.#open(block, tweak);
    xorInto(left, this.#hash(DOMAIN.wideBlockLast, block.length));
    this.#stream(3, left, long, tweak);
    const middle = this.#hash(DOMAIN.wideBlockMiddle, block.length);
    xorInto(left, middle);
    this.#stream(1, left, long, tweak);
    block.set(long, LEFT_BYTES);
    return middle.subarray(32);
  }

  /** Lays key, tweak and the long side out for hashing; a view of the long side. */
  #open(block: Uint8Array, tweak: Uint8Array): Uint8Array {
    assert(block.length >= 2 * LEFT_BYTES, "a wide block is wide");
    assert(tweak.length === TWEAK_BYTES, "a tweak has its length");
    const end = KEY_BLOCK_BYTES + block.length - LEFT_BYTES;
    if (scratch.length < end) scratch = new Uint8Array(end);
    scratch.set(this.#hashKey);
    scratch.set(tweak, 32);
    const long = scratch.subarray(KEY_BLOCK_BYTES, end);
    long.set(block.subarray(LEFT_BYTES));
    return long;
  }

  #hash(round: number, blockBytes: number): Uint8Array {
    scratch[KEY_BLOCK_BYTES - 1] = round;
    return this.#suite.blake2b512(scratch.subarray(0, KEY_BLOCK_BYTES + blockBytes - LEFT_BYTES));
  }

  #stream(round: number, left: Uint8Array, long: Uint8Array, tweak: Uint8Array): void {
    this.#roundKey.set(this.#streamKey);
    xorInto(this.#roundKey, left);
    this.#nonce.set(tweak.subarray(0, 11));
    this.#nonce[11] = round;
    this.#suite.chacha20Xor(this.#roundKey, this.#nonce, long, long);
  }
}

/** XORs the first bytes of `other` into `bytes`. */
function xorInto(bytes: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ (other[i] as number);
}
