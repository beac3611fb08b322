import { concatBytes } from "../base/index.ts";
import { requireLength } from "./provider.ts";
import { clampedScalar, GROUP_ORDER, toLittleEndian, wideScalar } from "./scalar.ts";
import { crypto } from "./select.ts";
import { sha512Of } from "./sha512-of.ts";

/**
 * An ordinary ed25519 key pair (RFC 8032), for what signs under one key all its life: a node, a
 * root. The frames of a stream are signed by a `BlindedSigner` each.
 */
export class SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly #scalar: bigint;
  readonly #prefix: Uint8Array;

  /** @param seed 32 secret bytes, borrowed for the call */
  constructor(seed: Uint8Array) {
    this.#scalar = seedScalar(seed);
    this.#prefix = crypto().sha512(seed).subarray(32);
    this.publicKey = crypto().ed25519ScalarBase(toLittleEndian(this.#scalar));
  }

  sign(message: Uint8Array): Uint8Array {
    const nonce = wideScalar(sha512Of(this.#prefix, message));
    return signature({ scalar: this.#scalar, publicKey: this.publicKey, nonce, message });
  }
}

/** The secret scalar of a seed, `clamp(SHA-512(seed)[0..32]) mod L`. */
export function seedScalar(seed: Uint8Array): bigint {
  requireLength(seed, 32, "ed25519 seed");
  return clampedScalar(crypto().sha512(seed));
}

/** The ed25519 signature by a known scalar. The nonce is secret, and of this message alone. */
export function signature(options: {
  readonly scalar: bigint;
  readonly publicKey: Uint8Array;
  readonly nonce: bigint;
  readonly message: Uint8Array;
}): Uint8Array {
  const { scalar, publicKey, nonce, message } = options;
  const r = crypto().ed25519ScalarBase(toLittleEndian(nonce));
  const challenge = wideScalar(sha512Of(r, publicKey, message));
  return concatBytes(r, toLittleEndian((nonce + challenge * scalar) % GROUP_ORDER));
}
