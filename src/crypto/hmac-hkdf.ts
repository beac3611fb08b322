import type { HkdfOptions } from "./provider.ts";
import { requireHkdfLength } from "./provider.ts";

/** Hashes `input` with BLAKE2b-512 and writes the 64 bytes into `into` from `at` on. */
export type HashInto = (input: Uint8Array, into: Uint8Array, at: number) => void;

const BLOCK_BYTES = 128;
const HASH_BYTES = 64;
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
  const derive = (info: Uint8Array, length: number): Uint8Array => {
    const blocks = Math.ceil(length / HASH_BYTES);
    const derived = new Uint8Array(blocks * HASH_BYTES);
    for (let i = 0; i < blocks; i++) {
      const previous = derived.subarray(Math.max(0, i - 1) * HASH_BYTES, i * HASH_BYTES);
      const inner = new Uint8Array(BLOCK_BYTES + previous.length + info.length + 1);
      inner.set(previous, BLOCK_BYTES);
      inner.set(info, BLOCK_BYTES + previous.length);
      inner[inner.length - 1] = i + 1;
      hmac(pseudorandomKey, inner, derived, i * HASH_BYTES);
    }
    return derived.length === length ? derived : derived.slice(0, length);
  };
  return ({ ikm, salt = NOTHING, info = NOTHING, length }) => {
    requireHkdfLength(length);
    const inner = new Uint8Array(BLOCK_BYTES + ikm.length);
    inner.set(ikm, BLOCK_BYTES);
    hmac(salt, inner, pseudorandomKey, 0);
    const derived = derive(info, length);
    pseudorandomKey.fill(0);
    return derived;
  };
}

/** `inner` has a free block before its message; it is overwritten, and wiped in the end. */
function hmacOver(hash: HashInto) {
  const outer = new Uint8Array(BLOCK_BYTES + HASH_BYTES);
  return (key: Uint8Array, inner: Uint8Array, into: Uint8Array, at: number): void => {
    const short = key.length <= BLOCK_BYTES ? key : hashed(hash, key);
    pad(inner, short, 0x36);
    hash(inner, outer, BLOCK_BYTES);
    pad(outer, short, 0x5c);
    hash(outer, into, at);
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
  hash(key, digest, 0);
  return digest;
}
