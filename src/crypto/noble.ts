import { secretbox } from "@noble/ciphers/salsa.js";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { blake2b } from "@noble/hashes/blake2.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256, sha512, sha512_256 } from "@noble/hashes/sha2.js";
import { concatBytes, equalBytes } from "../base/index.ts";
import { isBelowOrder, isPlausiblePoint, isPlausibleSignature } from "./ed25519-rule.ts";
import { FixedRoots } from "./fixed-roots.ts";
import type { CryptoProvider, HkdfOptions } from "./provider.ts";
import { requireLength } from "./provider.ts";
import { littleEndian, wideScalar } from "./scalar.ts";

type Point = ReturnType<typeof ed25519.Point.fromBytes>;

const roots = new FixedRoots<Point>(decodePoint, (point) => point.precompute(ROOT_WINDOW));
/** Bits of a root's table: 6 costs some 8 ms and 1 MiB once, and makes a product 5 times cheaper. */
const ROOT_WINDOW = 6;

/**
 * The portable implementation, in JavaScript only: the oracle that the others are held against,
 * and what runs where nothing faster does.
 */
export const nobleProvider: CryptoProvider = {
  name: "noble",
  sha256: (message) => sha256(message),
  sha512: (message) => sha512(message),
  sha512t256: (message) => sha512_256(message),
  hkdfBlake2b: ({ ikm, salt, info, length }: HkdfOptions) => hkdf(blake2b, ikm, salt, info, length),

  secretboxSeal(key, nonce, plaintext) {
    requireBoxKey(key, nonce);
    return secretbox(key, nonce).seal(plaintext);
  },
  secretboxOpen(key, nonce, box) {
    requireBoxKey(key, nonce);
    if (box.length < 16) return undefined;
    try {
      return secretbox(key, nonce).open(box);
    } catch {
      return undefined; // noble throws for a wrong tag, and for nothing else at this point
    }
  },

  ed25519Verify(publicKey, message, signature) {
    if (!isPlausiblePoint(publicKey) || !isPlausibleSignature(signature)) return false;
    const key = decodePoint(publicKey);
    if (key === undefined) return false;
    const r = signature.subarray(0, 32);
    const s = littleEndian(signature.subarray(32));
    const challenge = wideScalar(sha512(concatBytes(r, publicKey, message)));
    // noble's own verify is cofactored; this compares encodings, as OpenSSL and libsodium do.
    const expected = ed25519.Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(challenge));
    return equalBytes(expected.toBytes(), r);
  },
  ed25519IsPublicKey: (publicKey) =>
    isPlausiblePoint(publicKey) && decodePoint(publicKey) !== undefined,
  ed25519ScalarBase(scalar) {
    // On a point with a table, noble's "unsafe" product does the same steps for every scalar; what
    // it leaves out is the random blinding, which nearly doubles the time.
    return ed25519.Point.BASE.multiplyUnsafe(requireScalar(scalar)).toBytes();
  },
  ed25519ScalarPoint(scalar, point) {
    const factor = requireScalar(scalar);
    if (!isPlausiblePoint(point)) return undefined;
    return roots.get(point)?.multiply(factor).toBytes();
  },

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
};

/** @throws RangeError for a scalar that is not 32 bytes, is zero, or is not below L */
export function requireScalar(scalar: Uint8Array): bigint {
  requireLength(scalar, 32, "ed25519 scalar");
  const value = littleEndian(scalar);
  if (value === 0n || !isBelowOrder(scalar, 0)) {
    throw new RangeError("ed25519 scalar is not between 1 and L - 1");
  }
  return value;
}

/** @throws RangeError for a secretbox key or nonce of a wrong length */
export function requireBoxKey(key: Uint8Array, nonce: Uint8Array): void {
  requireLength(key, 32, "secretbox key");
  requireLength(nonce, 24, "secretbox nonce");
}

function decodePoint(encoded: Uint8Array): Point | undefined {
  try {
    return ed25519.Point.fromBytes(encoded);
  } catch {
    return undefined; // no point of the curve has this y
  }
}
