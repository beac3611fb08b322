import { base64urlnopad } from "@scure/base";
import { concatBytes } from "../base/index.ts";
import { isPlausiblePoint, isPlausibleSignature } from "./ed25519-rule.ts";
import { hkdfOver } from "./hmac-hkdf.ts";
import { nobleProvider } from "./noble.ts";
import type { CryptoProvider } from "./provider.ts";
import { AEAD_TAG_BYTES, requireAead, requireChacha, requireLength } from "./provider.ts";
import { secretboxInPlace } from "./secretbox-in-place.ts";

type NodeCrypto = typeof import("node:crypto");
type KeyObject = ReturnType<NodeCrypto["createPrivateKey"]>;

/** node:crypto where there is one, without an import that would stop other platforms. */
function nodeCrypto(): NodeCrypto | undefined {
  return globalThis.process?.getBuiltinModule?.("node:crypto");
}

/**
 * The provider over node:crypto, or `undefined` where there is none. OpenSSL has no XSalsa20 and no
 * arithmetic on points: these are JavaScript, the products those of the portable provider.
 */
export function nodeProvider(): CryptoProvider | undefined {
  const node = nodeCrypto();
  if (node?.hash === undefined) return undefined;
  const digest = (algorithm: string, message: Uint8Array): Uint8Array => {
    const text = node.hash(algorithm, message, "binary");
    const bytes = new Uint8Array(text.length);
    writeBinary(text, bytes);
    return bytes;
  };
  return {
    ...nobleProvider,
    name: "node",
    sha256: (message) => digest("sha256", message),
    sha512: (message) => digest("sha512", message),
    sha512t256: (message) => digest("sha512-256", message),
    blake2b512(message, into = new Uint8Array(64)) {
      requireLength(into, 64, "room for a hash");
      writeBinary(node.hash("blake2b512", message, "binary"), into);
      return into;
    },
    hkdfBlake2b: hkdfOver((input, into) => {
      writeBinary(node.hash("blake2b512", input, "binary"), into);
    }),
    chacha20Xor(key, nonce, bytes, into = new Uint8Array(bytes.length)) {
      requireChacha({ key, nonce, bytes, into });
      // OpenSSL takes the block counter, 32 bits little-endian, before the nonce.
      const iv = new Uint8Array(16);
      iv.set(nonce, 4);
      into.set(node.createCipheriv("chacha20", key, iv).update(bytes));
      return into;
    },
    ed25519Verify(publicKey, message, signature) {
      if (!isPlausiblePoint(publicKey) || !isPlausibleSignature(signature)) return false;
      return node.verify(null, message, publicJwk("Ed25519", publicKey), signature);
    },
    ed25519VerifyAside: coresHere() > 1 ? verifyAsideBy(node) : undefined,
    ...secretboxInPlace,
    ...aeadOver(node),
    ...x25519Over(node),
  };
}

/** Threads that can run at once here. */
export function coresHere(): number {
  return globalThis.process?.getBuiltinModule?.("node:os").availableParallelism() ?? 1;
}

/** On the threads of the pool that Node keeps for what takes long. */
function verifyAsideBy(node: NodeCrypto): NonNullable<CryptoProvider["ed25519VerifyAside"]> {
  return (publicKey, message, signature, done) => {
    if (!isPlausiblePoint(publicKey) || !isPlausibleSignature(signature)) {
      queueMicrotask(() => done(false));
      return;
    }
    const key = publicJwk("Ed25519", publicKey);
    node.verify(null, message, key, signature, (error, isGenuine) => done(!error && isGenuine));
  };
}

const AEAD = "chacha20-poly1305";
const TAG = { authTagLength: AEAD_TAG_BYTES };

function aeadOver(node: NodeCrypto): Pick<CryptoProvider, "aeadSeal" | "aeadOpen"> {
  return {
    aeadSeal(key, nonce, plaintext, { aad, into } = {}) {
      requireAead(key, nonce, plaintext, into);
      const cipher = node.createCipheriv(AEAD, key, nonce, TAG);
      if (aad !== undefined) cipher.setAAD(aad, { plaintextLength: plaintext.length });
      const box = into ?? new Uint8Array(plaintext.length + AEAD_TAG_BYTES);
      box.set(cipher.update(plaintext));
      cipher.final();
      box.set(cipher.getAuthTag(), plaintext.length);
      return box;
    },
    aeadOpen(key, nonce, box, { aad } = {}) {
      requireAead(key, nonce);
      const length = box.length - AEAD_TAG_BYTES;
      if (length < 0) return undefined;
      const cipher = node.createDecipheriv(AEAD, key, nonce, TAG);
      cipher.setAuthTag(box.subarray(length));
      if (aad !== undefined) cipher.setAAD(aad, { plaintextLength: length });
      const plaintext = cipher.update(box.subarray(0, length));
      try {
        cipher.final();
      } catch {
        return undefined; // a wrong tag
      }
      return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length);
    },
  };
}

function x25519Over(node: NodeCrypto): Pick<CryptoProvider, "x25519" | "x25519PublicKey"> {
  const importKey = privateImportOf(node);
  const privateKeyOf = (secret: Uint8Array) => {
    requireLength(secret, 32, "X25519 secret");
    return importKey(secret);
  };
  return {
    x25519(secret, publicKey) {
      const privateKey = privateKeyOf(secret);
      if (publicKey.length !== 32) return undefined;
      try {
        const theirs = node.createPublicKey(publicJwk("X25519", publicKey));
        return new Uint8Array(node.diffieHellman({ privateKey, publicKey: theirs }));
      } catch {
        return undefined; // OpenSSL refuses a shared secret of zeros
      }
    },
    x25519PublicKey(secret) {
      const { x } = node.createPublicKey(privateKeyOf(secret)).export({ format: "jwk" });
      return base64urlnopad.decode(x ?? "");
    },
  };
}

/** The PKCS #8 form of an X25519 secret, up to the secret itself (RFC 8410). */
const PKCS8_X25519 = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32);

/**
 * How an X25519 secret enters OpenSSL. Node asks for the public part x of a private JWK, and does
 * not look at it before 26, where it has to be right. DER has none, and takes ten times as long on
 * Node 20.
 */
function privateImportOf(node: NodeCrypto): (secret: Uint8Array) => KeyObject {
  const fromJwk = (secret: Uint8Array): KeyObject => {
    const key = { kty: "OKP", crv: "X25519", x: "", d: base64urlnopad.encode(secret) };
    return node.createPrivateKey({ key, format: "jwk" });
  };
  try {
    fromJwk(new Uint8Array(32).fill(1));
    return fromJwk;
  } catch {
    return (secret) => {
      const key = Buffer.from(concatBytes(PKCS8_X25519, secret));
      return node.createPrivateKey({ key, format: "der", type: "pkcs8" });
    };
  }
}

/** One character a byte: the fastest way out of OpenSSL's hashes, twice as fast as a Buffer. */
function writeBinary(text: string, into: Uint8Array): void {
  for (let i = 0; i < text.length; i++) into[i] = text.charCodeAt(i);
}

/** Keys enter OpenSSL as JWK: as DER they take fifteen times as long. */
function publicJwk(curve: "Ed25519" | "X25519", key: Uint8Array) {
  return { key: { kty: "OKP", crv: curve, x: base64urlnopad.encode(key) }, format: "jwk" } as const;
}
