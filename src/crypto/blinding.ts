import { CulvertError } from "../base/index.ts";
import { requireLength } from "./provider.ts";
import { clampedScalar, GROUP_ORDER, toLittleEndian, wideScalar } from "./scalar.ts";
import { crypto } from "./select.ts";
import { sha512Of } from "./sha512-of.ts";
import { seedScalar, signature } from "./signing-key.ts";

/**
 * The scalar that turns a root into the key of one frame: `clamp(SHA-512/256(frameId)) mod L`, 32
 * bytes little-endian.
 */
export function blindingFactor(frameId: Uint8Array): Uint8Array {
  return toLittleEndian(factorOf(frameId));
}

/**
 * The address of a frame: its root public key times the blinding factor.
 *
 * @throws CulvertError `CULVERT_BAD_CAPABILITY` when `root` is not a valid public key
 */
export function blindPublicKey(root: Uint8Array, frameId: Uint8Array): Uint8Array {
  const address = crypto().ed25519ScalarPoint(blindingFactor(frameId), root);
  if (address === undefined) {
    throw new CulvertError("CULVERT_BAD_CAPABILITY", "the root is not a valid ed25519 public key");
  }
  return address;
}

/** Gives the address of a frame by its id, 32 bytes each, under one root. */
export type AddressOf = (frameId: Uint8Array) => Uint8Array;

/**
 * The addresses under the root of a seed, for whoever knows the seed: a product with the base point
 * each, and not one with the root, which costs libsodium five times as much, and the others a table
 * for each root. It signs nothing, and tells nobody the seed.
 *
 * @param seed of the root, 32 secret bytes; borrowed for the call
 */
export function addressesOfSeed(seed: Uint8Array): AddressOf {
  const root = seedScalar(seed);
  return (frameId) => {
    const scalar = (factorOf(frameId) * root) % GROUP_ORDER;
    return crypto().ed25519ScalarBase(toLittleEndian(scalar));
  };
}

/** The public key of a seed (RFC 8032). */
export function rootPublicKey(seed: Uint8Array): Uint8Array {
  return crypto().ed25519ScalarBase(toLittleEndian(seedScalar(seed)));
}

/**
 * The key of one frame: knows the frame's address and signs for it. Its signatures are ordinary
 * ed25519 signatures under the address.
 *
 * The scalar is known, so the address costs a product with the base point, not one with the root.
 */
export class BlindedSigner {
  /** The frame's address: the public key (32 bytes) that its signatures verify under. */
  readonly address: Uint8Array;
  readonly #scalar: bigint;
  readonly #scalarBytes: Uint8Array;
  #last: { readonly nonce: bigint; readonly signature: Uint8Array } | undefined;

  /** @param seed of the root, 32 secret bytes; both arguments are borrowed for the call */
  constructor(seed: Uint8Array, frameId: Uint8Array) {
    this.#scalar = (factorOf(frameId) * seedScalar(seed)) % GROUP_ORDER;
    this.#scalarBytes = toLittleEndian(this.#scalar);
    this.address = crypto().ed25519ScalarBase(this.#scalarBytes);
  }

  /**
   * Signs with the raw scalar. There is no seed to take the nonce's prefix from, so the prefix is a
   * hash of the scalar; the odd second slice of it is BACAP's, and part of its vectors.
   *
   * The nonce tells the message: signing the last message again costs no more than its hash.
   */
  sign(message: Uint8Array): Uint8Array {
    const prefix = crypto().sha512(this.#scalarBytes);
    const nonce = wideScalar(sha512Of(prefix.slice(32), message, prefix.slice(33)));
    if (this.#last?.nonce !== nonce) {
      const options = { scalar: this.#scalar, publicKey: this.address, nonce, message };
      this.#last = { nonce, signature: signature(options) };
    }
    return this.#last.signature.slice();
  }
}

function factorOf(frameId: Uint8Array): bigint {
  requireLength(frameId, 32, "frame id");
  return clampedScalar(crypto().sha512t256(frameId));
}
