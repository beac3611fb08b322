import { type CryptoProvider, crypto } from "../../crypto/index.ts";

/**
 * What onions are made with. The provider in use is one; tests inject others, to count what a hop
 * computes and to let single primitives fail.
 */
export type OnionSuite = Pick<
  CryptoProvider,
  "x25519" | "x25519PublicKey" | "hkdfBlake2b" | "blake2b512" | "chacha20Xor"
>;

/** The suite of the crypto provider in use. */
export function defaultSuite(): OnionSuite {
  return crypto();
}

/** Bytes of the block that a keyed hash begins with: one block of BLAKE2b. */
export const KEY_BLOCK_BYTES = 128;

/** What a keyed hash is for: no two uses of a key give the same hash. */
export const DOMAIN: {
  readonly wideBlockMiddle: number;
  readonly wideBlockLast: number;
  readonly headerMac: number;
  readonly edge: number;
  readonly confirm: number;
  readonly creditProof: number;
  readonly hopKeys: number;
} = Object.freeze({
  wideBlockMiddle: 2,
  wideBlockLast: 4,
  headerMac: 16,
  edge: 17,
  confirm: 18,
  creditProof: 19,
  hopKeys: 20,
});

const ZERO_NONCE = new Uint8Array(12);

/** Room for what is hashed: a hop does so several times for each packet. No key stays in it. */
let scratch = new Uint8Array(1_024);

/**
 * BLAKE2b-512 of `key 32 ‖ tweak 32 ‖ zeros ‖ domain 1` (one block), then `message`. That is the
 * keyed mode of BLAKE2 but for the byte that tells the key's length: OpenSSL gives no access to
 * that one, and BLAKE2b needs no more than a prefix to be a pseudorandom function.
 */
export function keyedHash(
  suite: OnionSuite,
  { key, domain }: { readonly key: Uint8Array; readonly domain: number },
  message: Uint8Array,
): Uint8Array {
  const end = KEY_BLOCK_BYTES + message.length;
  if (scratch.length < end) scratch = new Uint8Array(end);
  scratch.set(key);
  scratch[KEY_BLOCK_BYTES - 1] = domain;
  scratch.set(message, KEY_BLOCK_BYTES);
  const hash = suite.blake2b512(scratch.subarray(0, end));
  scratch.fill(0, 0, KEY_BLOCK_BYTES);
  return hash;
}

/** `length` bytes of the ChaCha20 keystream of a key that is used for nothing else. */
export function keystream(suite: OnionSuite, key: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return suite.chacha20Xor(key, ZERO_NONCE, bytes, bytes);
}
