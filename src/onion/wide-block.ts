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

/** Sizes of block whose scratch is kept. */
const SCRATCHES_MAX = 16;

/** Room for the long side of a block behind a key block; nothing in it outlives one call. */
interface Scratch {
  readonly hashed: Uint8Array;
  readonly long: Uint8Array;
}

/** One for each size of block that was ever enciphered here: networks have two. */
const scratches = new Map<number, Scratch>();

function scratchFor(blockBytes: number): Scratch {
  const known = scratches.get(blockBytes);
  if (known !== undefined) return known;
  const hashed = new Uint8Array(KEY_BLOCK_BYTES + blockBytes - LEFT_BYTES);
  const scratch = { hashed, long: hashed.subarray(KEY_BLOCK_BYTES) };
  if (scratches.size < SCRATCHES_MAX) scratches.set(blockBytes, scratch);
  return scratch;
}

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
    const { hashed, long } = this.#open(block, tweak);
    this.#stream(1, block, long, tweak);
    const middle = this.#hash(DOMAIN.wideBlockMiddle, hashed);
    xorInto(block, middle);
    this.#stream(3, block, long, tweak);
    xorInto(block, this.#hash(DOMAIN.wideBlockLast, hashed));
    block.set(long, LEFT_BYTES);
    return middle.subarray(32);
  }

  /** Undoes {@link encrypt}, and answers with the same next tweak. */
  decrypt(block: Uint8Array, tweak: Uint8Array = FIRST_TWEAK): Uint8Array {
    const { hashed, long } = this.#open(block, tweak);
    xorInto(block, this.#hash(DOMAIN.wideBlockLast, hashed));
    this.#stream(3, block, long, tweak);
    const middle = this.#hash(DOMAIN.wideBlockMiddle, hashed);
    xorInto(block, middle);
    this.#stream(1, block, long, tweak);
    block.set(long, LEFT_BYTES);
    return middle.subarray(32);
  }

  /** Lays key, tweak and the long side out for hashing. */
  #open(block: Uint8Array, tweak: Uint8Array): Scratch {
    assert(block.length >= 2 * LEFT_BYTES, "a wide block is wide");
    assert(tweak.length === TWEAK_BYTES, "a tweak has its length");
    const scratch = scratchFor(block.length);
    scratch.hashed.set(this.#hashKey);
    scratch.hashed.set(tweak, 32);
    scratch.long.set(block.subarray(LEFT_BYTES));
    return scratch;
  }

  #hash(round: number, hashed: Uint8Array): Uint8Array {
    hashed[KEY_BLOCK_BYTES - 1] = round;
    return this.#suite.blake2b512(hashed);
  }

  /** Enciphers the long side by a key that the short one, in front of `block`, has a part in. */
  #stream(round: number, block: Uint8Array, long: Uint8Array, tweak: Uint8Array): void {
    this.#roundKey.set(this.#streamKey);
    xorInto(this.#roundKey, block);
    for (let i = 0; i < 11; i++) this.#nonce[i] = tweak[i] as number;
    this.#nonce[11] = round;
    this.#suite.chacha20Xor(this.#roundKey, this.#nonce, long, long);
  }
}

/** XORs the short side of `other` into that of `bytes`. */
function xorInto(bytes: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < LEFT_BYTES; i++) bytes[i] = (bytes[i] as number) ^ (other[i] as number);
}
