import { assert, concatBytes } from "../base/index.ts";
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
    this.publicKey = timesBase(this.#scalar);
  }

  sign(message: Uint8Array): Uint8Array {
    const nonce = wideScalar(sha512Of(this.#prefix, message));
    const r = timesBase(nonce);
    return signature({ scalar: this.#scalar, publicKey: this.publicKey, nonce, r }, message);
  }
}

/** The secret scalar of a seed, `clamp(SHA-512(seed)[0..32]) mod L`. */
export function seedScalar(seed: Uint8Array): bigint {
  requireLength(seed, 32, "ed25519 seed");
  return clampedScalar(crypto().sha512(seed));
}

/** scalar · B, encoded: the public key of a secret scalar, or what a signature tells of a nonce. */
export function timesBase(scalar: bigint): Uint8Array {
  const [product] = crypto().ed25519MultiplyBase([toLittleEndian(scalar)]);
  assert(product !== undefined, "a product for each scalar");
  return product;
}

/**
 * The ed25519 signature over the parts of a message, by a known scalar. The nonce is secret, and of
 * this message alone; `r` is nonce · B.
 */
export function signature(
  by: {
    readonly scalar: bigint;
    readonly publicKey: Uint8Array;
    readonly nonce: bigint;
    readonly r: Uint8Array;
  },
  ...message: readonly Uint8Array[]
): Uint8Array {
  const challenge = wideScalar(sha512Of(by.r, by.publicKey, ...message));
  return concatBytes(by.r, toLittleEndian((by.nonce + challenge * by.scalar) % GROUP_ORDER));
}
