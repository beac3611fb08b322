import type { HkdfOptions } from "./provider.ts";
import { requireHkdfLength } from "./provider.ts";

/** Hashes `input` with BLAKE2b-512 and writes the 64 bytes into `into`, which has so many. */
export type HashInto = (input: Uint8Array, into: Uint8Array) => void;

const BLOCK_BYTES = 128;
const HASH_BYTES = 64;
/** Room for a free block and all that a chain derives from. */
const ROOM_BYTES = 512;
const NOTHING = new Uint8Array(0);

/**
 * HKDF (RFC 5869) with HMAC (RFC 2104) over a one-shot BLAKE2b-512.
 *
 * A chain step asks for three HMACs and a frame for four more, each of a hundred bytes: what the
 * platforms' own HKDF calls spend on setting up costs more than the hashing.
 */
export function hkdfOver(hash: HashInto): (options: HkdfOptions) => Uint8Array {
  const hmac = hmacOver(hash);
  const pseudorandomKey = new Uint8Array(HASH_BYTES);
  const block = new Uint8Array(HASH_BYTES);
  const messageOf = messages();
  const derive = (info: Uint8Array, length: number): Uint8Array => {
    const derived = new Uint8Array(length);
    for (let at = 0; at < length; at += HASH_BYTES) {
      const previous = at === 0 ? NOTHING : block;
      const inner = messageOf(previous.length + info.length + 1);
      inner.set(previous, BLOCK_BYTES);
      inner.set(info, BLOCK_BYTES + previous.length);
      inner[inner.length - 1] = at / HASH_BYTES + 1;
      hmac(pseudorandomKey, inner, block);
      const left = length - at;
      derived.set(left < HASH_BYTES ? block.subarray(0, left) : block, at);
    }
    block.fill(0);
    return derived;
  };
  return ({ ikm, salt = NOTHING, info = NOTHING, length }) => {
    requireHkdfLength(length);
    const inner = messageOf(ikm.length);
    inner.set(ikm, BLOCK_BYTES);
    hmac(salt, inner, pseudorandomKey);
    const derived = derive(info, length);
    pseudorandomKey.fill(0);
    return derived;
  };
}

/**
 * Places of a block and so many bytes more, each of them for one message at a time. They are wiped
 * once they are used. A chain has messages of three lengths, and a message off the heap, or a view
 * of one, costs as much as its hash: views are kept.
 */
function messages(): (length: number) => Uint8Array {
  const room = new Uint8Array(ROOM_BYTES);
  const views: (Uint8Array | undefined)[] = [];
  return (length) => {
    const bytes = BLOCK_BYTES + length;
    if (bytes > ROOM_BYTES) return new Uint8Array(bytes);
    views[length] ??= room.subarray(0, bytes);
    return views[length];
  };
}

/** `inner` has a free block before its message; it is overwritten, and wiped in the end. */
function hmacOver(hash: HashInto) {
  const outer = new Uint8Array(BLOCK_BYTES + HASH_BYTES);
  const innerHash = outer.subarray(BLOCK_BYTES);
  return (key: Uint8Array, inner: Uint8Array, into: Uint8Array): void => {
    const short = key.length <= BLOCK_BYTES ? key : hashed(hash, key);
    pad(inner, short, 0x36);
    hash(inner, innerHash);
    pad(outer, short, 0x5c);
    hash(outer, into);
    inner.fill(0);
    outer.fill(0);
  };
}

function pad(block: Uint8Array, key: Uint8Array, value: number): void {
  block.fill(value, 0, BLOCK_BYTES);
  for (let i = 0; i < key.length; i++) block[i] = (key[i] as number) ^ value;
}

function hashed(hash: HashInto, key: Uint8Array): Uint8Array {
  const digest = new Uint8Array(HASH_BYTES);
  hash(key, digest);
  return digest;
}
