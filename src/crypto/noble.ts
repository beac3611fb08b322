import { chacha20, chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { secretbox, xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { blake2b } from "@noble/hashes/blake2.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256, sha512, sha512_256 } from "@noble/hashes/sha2.js";
import { concatBytes, equalBytes } from "../base/index.ts";
import { isPlausibleSignature } from "./ed25519-rule.ts";
import { decodePoint, multiplyBase, multiplyPoint } from "./products.ts";
import type { CryptoProvider } from "./provider.ts";
import {
  AEAD_TAG_BYTES,
  requireAead,
  requireChacha,
  requireHkdfLength,
  requireLength,
  requireSecretbox,
  SECRETBOX_TAG_BYTES,
} from "./provider.ts";
import { littleEndian, wideScalar } from "./scalar.ts";

/**
 * The portable implementation, in JavaScript only: what the others are held against, and what runs
 * where nothing faster does.
 */
export const nobleProvider: CryptoProvider = {
  name: "noble",
  sha256: (message) => sha256(message),
  sha512: (message) => sha512(message),
  sha512t256: (message) => sha512_256(message),
  blake2b512(message, into) {
    const hash = blake2b(message);
    if (into === undefined) return hash;
    requireLength(into, 64, "room for a hash");
    into.set(hash);
    return into;
  },
  hkdfBlake2b({ ikm, salt, info, length }) {
    requireHkdfLength(length);
    return hkdf(blake2b, ikm, salt, info, length);
  },

  secretboxSeal(key, nonce, plaintext, into) {
    requireSecretbox(key, nonce, plaintext, into);
    if (into === undefined) return secretbox(key, nonce).seal(plaintext);
    const length = SEALING_BYTES + plaintext.length;
    if (sealing.length !== length) sealing = new Uint8Array(length);
    into.set(xsalsa20poly1305(key, nonce).encrypt(plaintext, sealing));
    return into;
  },
  secretboxOpen(key, nonce, box) {
    requireSecretbox(key, nonce);
    if (box.length < SECRETBOX_TAG_BYTES) return undefined;
    try {
      return secretbox(key, nonce).open(box);
    } catch {
      return undefined; // a wrong tag
    }
  },

  chacha20Xor(key, nonce, bytes, into = new Uint8Array(bytes.length)) {
    requireChacha({ key, nonce, bytes, into });
    into.set(chacha20(key, nonce, bytes));
    return into;
  },
  aeadSeal(key, nonce, plaintext, { aad, into } = {}) {
    requireAead(key, nonce, plaintext, into);
    const box = chacha20poly1305(key, nonce, aad).encrypt(plaintext);
    if (into === undefined) return box;
    into.set(box);
    return into;
  },
  aeadOpen(key, nonce, box, { aad } = {}) {
    requireAead(key, nonce);
    if (box.length < AEAD_TAG_BYTES) return undefined;
    try {
      return chacha20poly1305(key, nonce, aad).decrypt(box);
    } catch {
      return undefined; // a wrong tag
    }
  },

  ed25519Verify(publicKey, message, signature) {
    if (!isPlausibleSignature(signature)) return false;
    const key = decodePoint(publicKey);
    if (key === undefined) return false;
    const r = signature.subarray(0, 32);
    const s = littleEndian(signature.subarray(32));
    const challenge = wideScalar(sha512(concatBytes(r, publicKey, message)));
    // noble's own verify is cofactored; this compares encodings, as OpenSSL and libsodium do.
    const expected = ed25519.Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(challenge));
    return equalBytes(expected.toBytes(), r);
  },
  ed25519IsPublicKey: (publicKey) => decodePoint(publicKey) !== undefined,
  ed25519MultiplyBase: multiplyBase,
  ed25519MultiplyPoint: multiplyPoint,

  x25519(secret, publicKey) {
    requireLength(secret, 32, "X25519 secret");
    if (publicKey.length !== 32) return undefined;
    try {
      return x25519.getSharedSecret(secret, publicKey);
    } catch {
      return undefined; // a point of small order
    }
  },
  x25519PublicKey(secret) {
    requireLength(secret, 32, "X25519 secret");
    return x25519.getPublicKey(secret);
  },
  x25519OfEd25519(publicKey) {
    return decodePoint(publicKey) === undefined ? undefined : ed25519.utils.toMontgomery(publicKey);
  },
};

/** What a secretbox is computed in before its plaintext. Holds no secret afterwards. */
const SEALING_BYTES = 32;
/** A network has one size of cell: each box is computed where the last was. */
let sealing: Uint8Array = new Uint8Array(0);
