/**
 * The primitives that Culvert is built from, behind one interface so that the fastest
 * implementation on this machine can be used and the portable one can check it.
 *
 * All arguments are borrowed for the call, all results are fresh and owned by the caller. No
 * method throws on bytes that came from elsewhere: it answers `undefined` or `false`. Wrong lengths
 * of our own arguments (keys, nonces, scalars) throw `RangeError`.
 */
export interface CryptoProvider {
  readonly name: ProviderName;

  sha256(message: Uint8Array): Uint8Array;
  sha512(message: Uint8Array): Uint8Array;
  /** SHA-512/256 (FIPS 180-4), the hash that makes a blinding factor. */
  sha512t256(message: Uint8Array): Uint8Array;
  /** BLAKE2b-512 (RFC 7693) without a key; written into `into`, of 64 bytes, if that is given. */
  blake2b512(message: Uint8Array, into?: Uint8Array): Uint8Array;
  /** HKDF (RFC 5869) with HMAC-BLAKE2b-512; an absent salt is 64 zero bytes. */
  hkdfBlake2b(options: HkdfOptions): Uint8Array;

  /**
   * NaCl secretbox (XSalsa20-Poly1305): tag (16) then ciphertext. Key 32, nonce 24 bytes. The box
   * is written into `into`, of exactly its length, if that is given; the plaintext may be its
   * bytes from 16 on.
   */
  secretboxSeal(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    into?: Uint8Array,
  ): Uint8Array;
  /**
   * The plaintext, or `undefined` when the box does not open: then nothing was written to it. With
   * `isInPlace` the box is handed over: it may be written to, and the plaintext may be a view of
   * it.
   */
  secretboxOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    box: Uint8Array,
    options?: InPlaceOption,
  ): Uint8Array | undefined;

  /**
   * XORs `bytes` with the ChaCha20 keystream (RFC 8439) from block 0 on. Key 32, nonce 12 bytes.
   * The result is written into `into`, of the same length, if that is given, `bytes` itself too.
   */
  chacha20Xor(key: Uint8Array, nonce: Uint8Array, bytes: Uint8Array, into?: Uint8Array): Uint8Array;

  /**
   * ChaCha20-Poly1305 (RFC 8439): ciphertext, then tag (16). Key 32, nonce 12 bytes. The box is
   * written into `into`, of exactly its length and apart from the plaintext, if that is given.
   */
  aeadSeal(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    options?: AeadOptions & { readonly into?: Uint8Array },
  ): Uint8Array;
  /**
   * The plaintext, or `undefined` when the box does not open. With `isInPlace` the box is handed
   * over: it may be written to, and the plaintext may be a view of it.
   */
  aeadOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    box: Uint8Array,
    options?: AeadOptions & InPlaceOption,
  ): Uint8Array | undefined;

  /**
   * Verifies an ed25519 signature by one rule for all providers: exact lengths, S < L, canonical
   * encodings of A and R, neither of small order, cofactorless equation.
   */
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /**
   * The same on another thread, where there is more than one core. Arguments are borrowed until
   * `done`, which is called once, later.
   */
  readonly ed25519VerifyAside?:
    | ((
        publicKey: Uint8Array,
        message: Uint8Array,
        signature: Uint8Array,
        done: (isGenuine: boolean) => void,
      ) => void)
    | undefined;
  /** True for the canonical encoding of a point that is not of small order. */
  ed25519IsPublicKey(publicKey: Uint8Array): boolean;
  /**
   * scalar · B for each scalar, encoded; scalars are 32 bytes little-endian, above zero and below
   * L. In JavaScript two together cost less than one after the other.
   */
  ed25519MultiplyBase(scalars: readonly Uint8Array[]): Uint8Array[];
  /**
   * scalar · point for each scalar, encoded, or `undefined` when `point` is not a valid public key.
   * Fastest when the same few points come again and again.
   */
  ed25519MultiplyPoint(scalars: readonly Uint8Array[], point: Uint8Array): Uint8Array[] | undefined;

  /** X25519 (RFC 7748), or `undefined` when the shared secret is all zero. */
  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined;
  x25519PublicKey(secret: Uint8Array): Uint8Array;
  /**
   * The X25519 public key of the same secret scalar (RFC 7748, 4.1), or `undefined` when
   * `publicKey` is not a valid ed25519 one. The sign is lost: two ed25519 keys share it.
   */
  x25519OfEd25519(publicKey: Uint8Array): Uint8Array | undefined;
}

/** The implementations there are. */
export type ProviderName = "noble" | "node" | "sodium";

/** What an AEAD may be given besides: data that is authenticated and not encrypted. */
export interface AeadOptions {
  readonly aad?: Uint8Array;
}

/** Whether a box may be opened where it lies. */
export interface InPlaceOption {
  readonly isInPlace?: boolean;
}

/** Bytes by which a box of an AEAD is longer than what is in it. */
export const AEAD_TAG_BYTES = 16;

/** Bytes by which a secretbox is longer than what is in it: the tag in front. */
export const SECRETBOX_TAG_BYTES = 16;
/** Bytes of the nonce of a secretbox. */
export const SECRETBOX_NONCE_BYTES = 24;

/** Arguments of HKDF: input key material, salt, info, and how many bytes to derive. */
export interface HkdfOptions {
  readonly ikm: Uint8Array;
  readonly salt?: Uint8Array;
  readonly info?: Uint8Array;
  readonly length: number;
}

/** @throws RangeError when `bytes` does not have the `length` that our own caller must give */
export function requireLength(bytes: Uint8Array, length: number, name: string): void {
  if (bytes.length !== length) {
    throw new RangeError(`${name} is ${bytes.length} bytes long, not ${length}`);
  }
}

/** @throws RangeError when HKDF with a hash of 64 bytes cannot give `length` bytes */
export function requireHkdfLength(length: number): void {
  if (!(Number.isInteger(length) && length > 0 && length <= 255 * 64)) {
    throw new RangeError(`HKDF-BLAKE2b-512 gives no ${length} bytes`);
  }
}

/** @throws RangeError when a length that our own caller must give is wrong */
export function requireChacha(given: {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly bytes: Uint8Array;
  readonly into: Uint8Array;
}): void {
  requireLength(given.key, 32, "ChaCha20 key");
  requireLength(given.nonce, 12, "ChaCha20 nonce");
  requireLength(given.into, given.bytes.length, "room for ChaCha20");
}

/** @throws RangeError when the lengths of our own arguments to a secretbox are wrong */
export function requireSecretbox(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext?: Uint8Array,
  into?: Uint8Array,
): void {
  requireLength(key, 32, "secretbox key");
  requireLength(nonce, SECRETBOX_NONCE_BYTES, "secretbox nonce");
  if (plaintext === undefined || into === undefined) return;
  requireLength(into, plaintext.length + SECRETBOX_TAG_BYTES, "room for a secretbox");
}

/** @throws RangeError when the lengths of our own arguments to an AEAD are wrong */
export function requireAead(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext?: Uint8Array,
  into?: Uint8Array,
): void {
  requireLength(key, 32, "AEAD key");
  requireLength(nonce, 12, "AEAD nonce");
  if (plaintext === undefined || into === undefined) return;
  requireLength(into, plaintext.length + AEAD_TAG_BYTES, "room for an AEAD box");
}
