import { assert } from "../../base/index.ts";
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

/** Words of 32 bits of the short side: bytes are XORed by fours. */
const LEFT_WORDS = LEFT_BYTES / 4;

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

/** Bytes that are also read as words. */
interface Words {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
}

function wordsOf(length: number): Words {
  const buffer = new ArrayBuffer(length);
  return { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer) };
}

// What a call needs besides, made once: small arrays that native code writes to are dear to make.
const left = wordsOf(LEFT_BYTES);
const roundKey = wordsOf(32);
const middle = wordsOf(64);
const last = wordsOf(64);
const nonce = new Uint8Array(12);

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
  readonly #streamKey: Words = wordsOf(32);
  readonly #hashKey: Uint8Array;

  /** @param key 64 bytes, copied */
  constructor(suite: OnionSuite, key: Uint8Array) {
    assert(key.length === WIDE_BLOCK_KEY_BYTES, "a wide-block key has its length");
    this.#suite = suite;
    this.#streamKey.bytes.set(key.subarray(0, 32));
    this.#hashKey = key.slice(32);
  }

  /** Enciphers `block` where it lies; the next tweak, in `next`, which may be `tweak` itself. */
  encrypt(
    block: Uint8Array,
    tweak: Uint8Array = FIRST_TWEAK,
    next: Uint8Array = new Uint8Array(TWEAK_BYTES),
  ): Uint8Array {
    const scratch = this.#open(block, tweak);
    this.#stream(1, scratch);
    this.#mix(DOMAIN.wideBlockMiddle, scratch, middle);
    this.#stream(3, scratch);
    this.#mix(DOMAIN.wideBlockLast, scratch, last);
    return close(block, scratch, next);
  }

  /** Undoes {@link encrypt}, and answers with the same next tweak. */
  decrypt(
    block: Uint8Array,
    tweak: Uint8Array = FIRST_TWEAK,
    next: Uint8Array = new Uint8Array(TWEAK_BYTES),
  ): Uint8Array {
    const scratch = this.#open(block, tweak);
    this.#mix(DOMAIN.wideBlockLast, scratch, last);
    this.#stream(3, scratch);
    this.#mix(DOMAIN.wideBlockMiddle, scratch, middle);
    this.#stream(1, scratch);
    return close(block, scratch, next);
  }

  /** Takes the short side out, and lays key, tweak and the long side out for hashing. */
  #open(block: Uint8Array, tweak: Uint8Array): Scratch {
    assert(block.length >= 2 * LEFT_BYTES, "a wide block is wide");
    assert(tweak.length === TWEAK_BYTES, "a tweak has its length");
    const scratch = scratchFor(block.length);
    scratch.hashed.set(this.#hashKey);
    scratch.hashed.set(tweak, 32);
    scratch.long.set(block.subarray(LEFT_BYTES));
    for (let i = 0; i < LEFT_BYTES; i++) left.bytes[i] = block[i] as number;
    for (let i = 0; i < 11; i++) nonce[i] = tweak[i] as number;
    return scratch;
  }

  /** XORs a hash of the long side into the short one. */
  #mix(round: number, { hashed }: Scratch, hash: Words): void {
    hashed[KEY_BLOCK_BYTES - 1] = round;
    this.#suite.blake2b512(hashed, hash.bytes);
    for (let i = 0; i < LEFT_WORDS; i++) {
      left.words[i] = (left.words[i] as number) ^ (hash.words[i] as number);
    }
  }

  /** Enciphers the long side by a key that the short one has a part in. */
  #stream(round: number, { long }: Scratch): void {
    const { words } = this.#streamKey;
    for (let i = 0; i < LEFT_WORDS; i++) {
      roundKey.words[i] = (words[i] as number) ^ (left.words[i] as number);
    }
    nonce[11] = round;
    this.#suite.chacha20Xor(roundKey.bytes, nonce, long, long);
  }
}

/** Puts both sides back, and the upper half of the middle hash into `next`. */
function close(block: Uint8Array, { long }: Scratch, next: Uint8Array): Uint8Array {
  for (let i = 0; i < LEFT_BYTES; i++) block[i] = left.bytes[i] as number;
  block.set(long, LEFT_BYTES);
  for (let i = 0; i < TWEAK_BYTES; i++) next[i] = middle.bytes[32 + i] as number;
  return next;
}
