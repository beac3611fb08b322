import { assert } from "../../base/index.ts";
import { DOMAIN, KEY_BLOCK_BYTES, type OnionSuite } from "./suite.ts";

/** Bytes of a wide-block key: 32 for the stream rounds, 32 for the hash rounds. */
export const WIDE_BLOCK_KEY_BYTES = 64;

/** Bytes of a tweak. */
const TWEAK_BYTES = 32;

/** The tweak of a key that enciphers one block only. */
const FIRST_TWEAK: Uint8Array = new Uint8Array(TWEAK_BYTES);

/** The short side of the Feistel network. */
const LEFT_BYTES = 32;

/** Sizes of block whose scratch is kept. */
const SCRATCHES_MAX = 16;

/** Words of 32 bits of the short side: bytes are XORed by fours. */
const LEFT_WORDS = LEFT_BYTES / 4;

/** Where it waits: in a part of the key block that is zero in every hash. */
const LEFT_AT = KEY_BLOCK_BYTES - LEFT_BYTES;

/** Native ChaCha20 makes so many bytes at once, and takes longer for some of them than for all. */
const STREAM_BYTES = 256;

/** A block lies here with its long side behind a key block, in whose end the short side waits. */
interface Scratch {
  /** The key block and the long side. */
  readonly hashed: Uint8Array;
  /** The long side and what fills it up for the cipher, which means nothing. */
  readonly streamed: Uint8Array;
  readonly block: Uint8Array;
  /** The short side, where it waits. */
  readonly left: Uint32Array;
}

/** One for each size of block that was ever enciphered here: networks have two. */
const scratches = new Map<number, Scratch>();

function scratchFor(blockBytes: number): Scratch {
  const known = scratches.get(blockBytes);
  if (known !== undefined) return known;
  const longBytes = blockBytes - LEFT_BYTES;
  const streamedBytes = Math.ceil(longBytes / STREAM_BYTES) * STREAM_BYTES;
  const { buffer } = new Uint8Array(KEY_BLOCK_BYTES + streamedBytes);
  const scratch = {
    hashed: new Uint8Array(buffer, 0, KEY_BLOCK_BYTES + longBytes),
    streamed: new Uint8Array(buffer, KEY_BLOCK_BYTES),
    block: new Uint8Array(buffer, LEFT_AT, blockBytes),
    left: new Uint32Array(buffer, LEFT_AT, LEFT_WORDS),
  };
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
    scratch.block.set(block);
    for (let i = 0; i < LEFT_WORDS; i++) {
      left.words[i] = scratch.left[i] as number;
      scratch.left[i] = 0;
    }
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
  #stream(round: number, { streamed }: Scratch): void {
    const { words } = this.#streamKey;
    for (let i = 0; i < LEFT_WORDS; i++) {
      roundKey.words[i] = (words[i] as number) ^ (left.words[i] as number);
    }
    nonce[11] = round;
    this.#suite.chacha20Xor(roundKey.bytes, nonce, streamed, streamed);
  }
}

/** Puts both sides back, and the upper half of the middle hash into `next`. */
function close(block: Uint8Array, scratch: Scratch, next: Uint8Array): Uint8Array {
  for (let i = 0; i < LEFT_WORDS; i++) scratch.left[i] = left.words[i] as number;
  block.set(scratch.block);
  for (let i = 0; i < TWEAK_BYTES; i++) next[i] = middle.bytes[32 + i] as number;
  return next;
}
