import { isPlausiblePoint, isPlausibleSignature } from "./ed25519-rule.ts";
import { hkdfOver } from "./hmac-hkdf.ts";
import { nobleProvider } from "./noble.ts";
import { coresHere, nodeProvider } from "./node.ts";
import { multiplyPoint, requireScalar } from "./products.ts";
import type { CryptoProvider } from "./provider.ts";
import {
  AEAD_TAG_BYTES,
  requireAead,
  requireChacha,
  requireLength,
  requireSecretbox,
  SECRETBOX_TAG_BYTES,
} from "./provider.ts";
import { VerifyThread } from "./verify-thread.ts";

/** What is used of sodium-native: the first argument is written, a failure throws. */
interface Sodium {
  crypto_generichash(hash: Uint8Array, input: Uint8Array): void;
  crypto_stream_chacha20_ietf_xor(
    into: Uint8Array,
    bytes: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): void;
  crypto_secretbox_easy(
    box: Uint8Array,
    plaintext: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): void;
  crypto_secretbox_open_easy(
    plaintext: Uint8Array,
    box: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): boolean;
  crypto_aead_chacha20poly1305_ietf_encrypt(
    box: Uint8Array,
    plaintext: Uint8Array,
    aad: Uint8Array | null,
    unused: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  crypto_aead_chacha20poly1305_ietf_decrypt(
    plaintext: Uint8Array,
    unused: null,
    box: Uint8Array,
    aad: Uint8Array | null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  crypto_sign_verify_detached(
    signature: Uint8Array,
    message: Uint8Array,
    publicKey: Uint8Array,
  ): boolean;
  crypto_scalarmult_ed25519_base_noclamp(product: Uint8Array, scalar: Uint8Array): void;
  crypto_scalarmult_ed25519_noclamp(
    product: Uint8Array,
    scalar: Uint8Array,
    point: Uint8Array,
  ): void;
  crypto_sign_ed25519_pk_to_curve25519(x25519: Uint8Array, publicKey: Uint8Array): void;
  crypto_scalarmult(product: Uint8Array, secret: Uint8Array, publicKey: Uint8Array): void;
  crypto_scalarmult_base(product: Uint8Array, secret: Uint8Array): void;
}

/**
 * The provider over sodium-native, or `undefined` where that is not installed. Hashes stay those of
 * node:crypto, save the short ones of HKDF: libsodium's BLAKE2b is slower for long messages.
 */
export function sodiumProvider(): CryptoProvider | undefined {
  const node = nodeProvider();
  const sodium = loadSodium();
  if (node === undefined || sodium === undefined) return undefined;
  return {
    ...node,
    name: "sodium",
    ed25519VerifyAside: verifyAsideBy(sodium),
    chacha20Xor(key, nonce, bytes, into = new Uint8Array(bytes.length)) {
      requireChacha({ key, nonce, bytes, into });
      sodium.crypto_stream_chacha20_ietf_xor(into, bytes, nonce, key);
      return into;
    },
    hkdfBlake2b: hkdfOver((input, into) => sodium.crypto_generichash(into, input)),
    ...secretboxOver(sodium),
    ...aeadOver(sodium),
    ...ed25519Over(sodium),
    ...x25519Over(sodium),
  };
}

function secretboxOver(sodium: Sodium): Pick<CryptoProvider, "secretboxSeal" | "secretboxOpen"> {
  return {
    secretboxSeal(key, nonce, plaintext, into) {
      requireSecretbox(key, nonce, plaintext, into);
      const box = into ?? new Uint8Array(plaintext.length + SECRETBOX_TAG_BYTES);
      sodium.crypto_secretbox_easy(box, plaintext, nonce, key);
      return box;
    },
    secretboxOpen(key, nonce, box, { isInPlace = false } = {}) {
      requireSecretbox(key, nonce);
      const length = box.length - SECRETBOX_TAG_BYTES;
      if (length < 0) return undefined;
      const plaintext = isInPlace ? box.subarray(SECRETBOX_TAG_BYTES) : new Uint8Array(length);
      return sodium.crypto_secretbox_open_easy(plaintext, box, nonce, key) ? plaintext : undefined;
    },
  };
}

function aeadOver(sodium: Sodium): Pick<CryptoProvider, "aeadSeal" | "aeadOpen"> {
  return {
    aeadSeal(key, nonce, plaintext, { aad, into } = {}) {
      requireAead(key, nonce, plaintext, into);
      const box = into ?? new Uint8Array(plaintext.length + AEAD_TAG_BYTES);
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
        box,
        plaintext,
        aad ?? null,
        null,
        nonce,
        key,
      );
      return box;
    },
    aeadOpen(key, nonce, box, { aad, isInPlace = false } = {}) {
      requireAead(key, nonce);
      const length = box.length - AEAD_TAG_BYTES;
      if (length < 0) return undefined;
      const plaintext = isInPlace ? box.subarray(0, length) : new Uint8Array(length);
      const theirs = aad ?? null;
      try {
        sodium.crypto_aead_chacha20poly1305_ietf_decrypt(plaintext, null, box, theirs, nonce, key);
      } catch {
        return undefined; // a wrong tag
      }
      return plaintext;
    },
  };
}

function ed25519Over(
  sodium: Sodium,
): Pick<CryptoProvider, "ed25519Verify" | "ed25519MultiplyBase" | "ed25519MultiplyPoint"> {
  return {
    ed25519Verify(publicKey, message, signature) {
      if (!isPlausiblePoint(publicKey) || !isPlausibleSignature(signature)) return false;
      return sodium.crypto_sign_verify_detached(signature, message, publicKey);
    },
    ed25519MultiplyBase: (scalars) =>
      scalars.map((scalar) => {
        requireScalar(scalar);
        const product = new Uint8Array(32);
        sodium.crypto_scalarmult_ed25519_base_noclamp(product, scalar);
        return product;
      }),
    ed25519MultiplyPoint(scalars, point) {
      scalars.forEach(requireScalar);
      if (point.length !== 32) return undefined;
      try {
        return scalars.map((scalar) => {
          const product = new Uint8Array(32);
          sodium.crypto_scalarmult_ed25519_noclamp(product, scalar, point);
          return product;
        });
      } catch {
        // libsodium also refuses points with a part of small order, which are valid keys.
        return multiplyPoint(scalars, point);
      }
    },
  };
}

function x25519Over(
  sodium: Sodium,
): Pick<CryptoProvider, "x25519" | "x25519PublicKey" | "x25519OfEd25519"> {
  return {
    x25519(secret, publicKey) {
      requireLength(secret, 32, "X25519 secret");
      if (publicKey.length !== 32) return undefined;
      const shared = new Uint8Array(32);
      try {
        sodium.crypto_scalarmult(shared, secret, publicKey);
      } catch {
        return undefined; // a shared secret of zeros
      }
      return shared;
    },
    x25519PublicKey(secret) {
      requireLength(secret, 32, "X25519 secret");
      const publicKey = new Uint8Array(32);
      sodium.crypto_scalarmult_base(publicKey, secret);
      return publicKey;
    },
    x25519OfEd25519(publicKey) {
      if (!isPlausiblePoint(publicKey)) return undefined;
      const converted = new Uint8Array(32);
      try {
        sodium.crypto_sign_ed25519_pk_to_curve25519(converted, publicKey);
        return converted;
      } catch {
        // libsodium also refuses points with a part of small order, which are valid keys.
        return nobleProvider.x25519OfEd25519(publicKey);
      }
    },
  };
}

/** On a thread of its own: OpenSSL's, which Node keeps, take twice as long for each. */
function verifyAsideBy(sodium: Sodium): CryptoProvider["ed25519VerifyAside"] {
  const threads = globalThis.process?.getBuiltinModule?.("node:worker_threads");
  const path = requireHere()?.resolve(PACKAGE);
  if (threads === undefined || path === undefined || coresHere() < 2) return undefined;
  const thread = new VerifyThread(threads, path, ed25519Over(sodium).ed25519Verify);
  return (publicKey, message, signature, done) => {
    if (isPlausiblePoint(publicKey) && isPlausibleSignature(signature)) {
      thread.verify(publicKey, message, signature, done);
    } else {
      queueMicrotask(() => done(false));
    }
  };
}

/** An optional peer dependency, found at run time only. */
function loadSodium(): Sodium | undefined {
  try {
    const loaded: unknown = requireHere()?.(PACKAGE);
    return isSodium(loaded) ? loaded : undefined;
  } catch {
    return undefined; // not installed, or no binary for this platform
  }
}

const PACKAGE = "sodium-native";

/** From beside this file; where others have made CommonJS of it, no URL says where that is. */
function requireHere(): NodeJS.Require | undefined {
  const module = globalThis.process?.getBuiltinModule?.("node:module");
  return module?.createRequire(import.meta.url ?? __filename);
}

const USED = [
  "crypto_generichash",
  "crypto_stream_chacha20_ietf_xor",
  "crypto_secretbox_easy",
  "crypto_secretbox_open_easy",
  "crypto_aead_chacha20poly1305_ietf_encrypt",
  "crypto_aead_chacha20poly1305_ietf_decrypt",
  "crypto_sign_verify_detached",
  "crypto_scalarmult_ed25519_base_noclamp",
  "crypto_scalarmult_ed25519_noclamp",
  "crypto_sign_ed25519_pk_to_curve25519",
  "crypto_scalarmult",
  "crypto_scalarmult_base",
] as const satisfies readonly (keyof Sodium)[];

function isSodium(loaded: unknown): loaded is Sodium {
  if (typeof loaded !== "object" || loaded === null) return false;
  return USED.every((name) => typeof Reflect.get(loaded, name) === "function");
}
