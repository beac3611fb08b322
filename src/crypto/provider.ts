/**
 * The primitives that Culvert is built from, behind one interface so that the fastest
 * implementation on this machine can be used and the portable one can check it.
 *
 * All arguments are borrowed for the call, all results are fresh and owned by the caller. No
 * method throws on bytes that came from elsewhere: it answers `undefined` or `false`. Wrong lengths
 * of our own arguments (keys, nonces) throw `RangeError`.
 */
export interface CryptoProvider {
  readonly name: "noble" | "node" | "sodium";

  sha256(message: Uint8Array): Uint8Array;
  sha512(message: Uint8Array): Uint8Array;
  /** HKDF (RFC 5869) with HMAC-BLAKE2b-512; an absent salt is 64 zero bytes. */
  hkdfBlake2b(options: {
    ikm: Uint8Array;
    salt?: Uint8Array;
    info?: Uint8Array;
    length: number;
  }): Uint8Array;

  /** NaCl secretbox (XSalsa20-Poly1305): tag (16) then ciphertext. Key 32, nonce 24 bytes. */
  secretboxSeal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** The plaintext, or `undefined` when the box does not open. */
  secretboxOpen(key: Uint8Array, nonce: Uint8Array, box: Uint8Array): Uint8Array | undefined;

  /**
   * Verifies an ed25519 signature by one rule for all providers: exact lengths, S < L, canonical
   * encodings, no small-order key, cofactorless equation.
   */
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** True for the canonical encoding of a point that is not of small order. */
  ed25519IsPublicKey(publicKey: Uint8Array): boolean;
  /** scalar · B, encoded; `scalar` is 32 bytes little-endian, below L. */
  ed25519ScalarBase(scalar: Uint8Array): Uint8Array;
  /** scalar · point, encoded, or `undefined` when `point` is not a valid public key. */
  ed25519ScalarPoint(scalar: Uint8Array, point: Uint8Array): Uint8Array | undefined;

  /** X25519 (RFC 7748), or `undefined` when the shared secret is all zero. */
  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined;
  x25519PublicKey(secret: Uint8Array): Uint8Array;
}
