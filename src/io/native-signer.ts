import { createPrivateKey, createPublicKey, sign } from "node:crypto";

/** The fixed beginning of an ed25519 private key in PKCS #8 (RFC 8410); the seed follows. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * An ed25519 key pair (RFC 8032) that signs in native code: for a node, which signs with one key
 * all its life and often.
 *
 * @param seed 32 secret bytes, borrowed for the call
 */
export function nativeSigner(seed: Uint8Array): {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
} {
  if (seed.length !== 32) throw new RangeError("an ed25519 seed has 32 bytes");
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    publicKey: new Uint8Array(spki.subarray(-32)),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  };
}
