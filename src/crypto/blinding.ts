import { assert, CulvertError } from "../base/index.ts";
import { requireLength } from "./provider.ts";
import { clampedScalar, GROUP_ORDER, toLittleEndian, wideScalar } from "./scalar.ts";
import { crypto } from "./select.ts";
import { sha512Of } from "./sha512-of.ts";
import { seedScalar, signature, timesBase } from "./signing-key.ts";

/**
 * The scalar that turns a root into the key of one frame: `clamp(SHA-512/256(frameId)) mod L`, 32
 * bytes little-endian.
 */
export function blindingFactor(frameId: Uint8Array): Uint8Array {
  return toLittleEndian(factorOf(frameId));
}

/** Gives the addresses of frames by their ids, 32 bytes each, under one root. */
export type AddressesOf = (frameIds: readonly Uint8Array[]) => readonly Uint8Array[];

/**
 * The address of a frame: its root public key times the blinding factor.
 *
 * @throws CulvertError `CULVERT_BAD_CAPABILITY` when `root` is not a valid public key
 */
export function blindPublicKey(root: Uint8Array, frameId: Uint8Array): Uint8Array {
  return only(addressesOfRoot(root)([frameId]));
}

/**
 * The addresses under a root that is known by its public key.
 *
 * @param root 32 bytes, borrowed for as long as the addresses are asked for; asking throws
 *   `CULVERT_BAD_CAPABILITY` when it is not a valid public key
 */
export function addressesOfRoot(root: Uint8Array): AddressesOf {
  return (frameIds) => {
    const addresses = crypto().ed25519MultiplyPoint(frameIds.map(blindingFactor), root);
    if (addresses !== undefined) return addresses;
    throw new CulvertError("CULVERT_BAD_CAPABILITY", "the root is not a valid ed25519 public key");
  };
}

/**
 * The addresses under the root of a seed, for whoever knows the seed: a product with the base point
 * each, and not one with the root, which costs libsodium five times as much, and the others a table
 * for each root. It signs nothing, and tells nobody the seed.
 *
 * @param seed of the root, 32 secret bytes; borrowed for the call
 */
export function addressesOfSeed(seed: Uint8Array): AddressesOf {
  const root = seedScalar(seed);
  return (frameIds) =>
    crypto().ed25519MultiplyBase(frameIds.map((id) => toLittleEndian(blinded(root, id))));
}

/** The public key of a seed (RFC 8032). */
export function rootPublicKey(seed: Uint8Array): Uint8Array {
  return timesBase(seedScalar(seed));
}

/** What one frame's key is to sign: the parts of a message, one after the other. */
export interface SigningOrder {
  readonly signer: BlindedSigner;
  readonly message: readonly Uint8Array[];
}

/**
 * The key of one frame: knows the frame's address and signs for it. Its signatures are ordinary
 * ed25519 signatures under the address.
 *
 * The scalar is known, so the address costs a product with the base point, not one with the root.
 */
export class BlindedSigner {
  readonly #scalar: bigint;
  readonly #scalarBytes: Uint8Array;
  #address: Uint8Array | undefined;
  #last: { readonly nonce: bigint; readonly signature: Uint8Array } | undefined;

  private constructor(scalar: bigint) {
    this.#scalar = scalar;
    this.#scalarBytes = toLittleEndian(scalar);
  }

  /**
   * Gives the keys of frames by their ids, 32 bytes each, under the root of a seed.
   *
   * @param seed of the root, 32 secret bytes; borrowed for the call
   */
  static under(seed: Uint8Array): (frameId: Uint8Array) => BlindedSigner {
    const root = seedScalar(seed);
    return (frameId) => new BlindedSigner(blinded(root, frameId));
  }

  /** The key of one frame; both arguments are borrowed for the call. */
  static of(seed: Uint8Array, frameId: Uint8Array): BlindedSigner {
    return BlindedSigner.under(seed)(frameId);
  }

  /** The frame's address: the public key (32 bytes) that its signatures verify under. */
  get address(): Uint8Array {
    this.#address ??= timesBase(this.#scalar);
    return this.#address;
  }

  /** The signature over the parts of a message, 64 bytes. */
  sign(...message: readonly Uint8Array[]): Uint8Array {
    return only(BlindedSigner.signAll([{ signer: this, message }]));
  }

  /**
   * The signatures that are ordered, in that order. Each takes two products with the base point,
   * for its address and for its nonce, and all of those are made together.
   *
   * The nonce tells the message: signing the last message again costs no more than its hash.
   */
  static signAll(orders: readonly SigningOrder[]): Uint8Array[] {
    const scalars: Uint8Array[] = [];
    const begun = orders.map(({ signer, message }) => signer.#begin(message, scalars));
    const products = scalars.length === 0 ? [] : crypto().ed25519MultiplyBase(scalars);
    return begun.map((finish) => finish(products));
  }

  /** Adds what has to be multiplied to `scalars`; what it gives back signs by the products. */
  #begin(
    message: readonly Uint8Array[],
    scalars: Uint8Array[],
  ): (products: readonly Uint8Array[]) => Uint8Array {
    const nonce = this.#nonceOf(message);
    const last = this.#last;
    if (last?.nonce === nonce) return () => last.signature.slice();
    const at = scalars.length;
    scalars.push(toLittleEndian(nonce));
    if (this.#address === undefined) scalars.push(this.#scalarBytes);
    return (products) => {
      const [r, address] = products.slice(at, at + 2);
      this.#address ??= address;
      assert(r !== undefined, "a product for each scalar");
      const by = { scalar: this.#scalar, publicKey: this.address, nonce, r };
      const signed = signature(by, ...message);
      this.#last = { nonce, signature: signed };
      return signed.slice();
    };
  }

  /**
   * There is no seed to take the nonce's prefix from, so the prefix is a hash of the scalar; the
   * odd second slice of it is BACAP's, and part of its vectors.
   */
  #nonceOf(message: readonly Uint8Array[]): bigint {
    const prefix = crypto().sha512(this.#scalarBytes);
    return wideScalar(sha512Of(prefix.slice(32), ...message, prefix.slice(33)));
  }
}

function only(values: readonly Uint8Array[]): Uint8Array {
  const [value] = values;
  assert(value !== undefined, "one for one");
  return value;
}

function blinded(root: bigint, frameId: Uint8Array): bigint {
  return (factorOf(frameId) * root) % GROUP_ORDER;
}

function factorOf(frameId: Uint8Array): bigint {
  requireLength(frameId, 32, "frame id");
  return clampedScalar(crypto().sha512t256(frameId));
}
