import {
  assert,
  CulvertError,
  concatBytes,
  equalBytes,
  isBytes,
  type Random,
} from "../base/index.ts";
import { CHAIN_STATE_BYTES, Chain } from "./bacap.ts";
import {
  type AddressesOf,
  addressesOfRoot,
  addressesOfSeed,
  BlindedSigner,
  rootPublicKey,
} from "./blinding.ts";
import { littleEndian } from "./scalar.ts";
import { crypto } from "./select.ts";

/** Length of a read capability in bytes: root public key 32 ‖ chain state 104. */
const READ_CAPABILITY_BYTES = 32 + CHAIN_STATE_BYTES;

/** Length of a write capability in bytes: seed 32 ‖ root public key 32 ‖ chain state 104. */
const WRITE_CAPABILITY_BYTES = 64 + CHAIN_STATE_BYTES;

/**
 * The right to find and open the frames of one root from one index on, and to write none of them:
 * its bytes hold the root's public key and a chain state, and no factor of the signing scalar.
 */
export class ReadCapability {
  /** The root's public key, 32 bytes. */
  readonly root: Uint8Array;
  readonly chain: Chain;
  /** The addresses of frames under `root`. */
  readonly addressesOf: AddressesOf;

  private constructor(root: Uint8Array, chain: Chain, addressesOf: AddressesOf) {
    this.root = root;
    this.chain = chain;
    this.addressesOf = addressesOf;
  }

  /**
   * @param known gives the addresses under `root` for less than `root` alone; it is believed
   * @throws CulvertError `CULVERT_BAD_CAPABILITY` when `root` is not a valid public key
   */
  static of(root: Uint8Array, chain: Chain, known?: AddressesOf): ReadCapability {
    if (!crypto().ed25519IsPublicKey(root)) throw malformed("root", "is not a valid public key");
    const own = root.slice();
    return new ReadCapability(own, chain, known ?? addressesOfRoot(own));
  }

  /** @throws CulvertError `CULVERT_BAD_CAPABILITY` */
  static fromBytes(bytes: Uint8Array): ReadCapability {
    requireBytes(bytes, READ_CAPABILITY_BYTES);
    return ReadCapability.of(bytes.subarray(0, 32), Chain.fromBytes(bytes.subarray(32)));
  }

  /** The number of the frame that this capability is at. */
  get index(): bigint {
    return this.chain.index;
  }

  /** 136 bytes; whoever has them can read. */
  toBytes(): Uint8Array {
    return concatBytes(this.root, this.chain.toBytes());
  }

  /** The same right from the next index on. */
  next(): ReadCapability {
    return new ReadCapability(this.root, this.chain.next(), this.addressesOf);
  }

  /** The address of this index's frame in the chain named `context`. */
  address(context: Uint8Array): Uint8Array {
    const [address] = this.addressesOf([this.chain.frameId(context)]);
    assert(address !== undefined, "an address for a frame");
    return address;
  }
}

/** The right to write the frames of one root from one index on, and to read them. */
export class WriteCapability {
  /** The root's public key, 32 bytes. */
  readonly root: Uint8Array;
  readonly chain: Chain;
  readonly #seed: Uint8Array;

  private constructor(seed: Uint8Array, root: Uint8Array, chain: Chain) {
    this.#seed = seed;
    this.root = root;
    this.chain = chain;
  }

  /** @param seed of the root, 32 secret bytes; copied */
  static of(seed: Uint8Array, chain: Chain): WriteCapability {
    return new WriteCapability(seed.slice(), rootPublicKey(seed), chain);
  }

  /** @throws CulvertError `CULVERT_BAD_CAPABILITY`, also when seed and public key do not match */
  static fromBytes(bytes: Uint8Array): WriteCapability {
    requireBytes(bytes, WRITE_CAPABILITY_BYTES);
    const chain = Chain.fromBytes(bytes.subarray(64));
    const capability = WriteCapability.of(bytes.subarray(0, 32), chain);
    if (!equalBytes(capability.root, bytes.subarray(32, 64))) {
      throw malformed("root", "does not belong to the seed");
    }
    return capability;
  }

  /**
   * A new root and chain. The first index is random, below 2^62, so that a later reader cannot tell
   * how many frames there were before its own.
   */
  static generate(random: Random): WriteCapability {
    const seed = random.bytes(32);
    const index = littleEndian(random.bytes(8)) >> 2n;
    return WriteCapability.of(seed, Chain.fromMaterial(index, random.bytes(96)));
  }

  /** The number of the frame that this capability is at. */
  get index(): bigint {
    return this.chain.index;
  }

  /** 168 secret bytes. */
  toBytes(): Uint8Array {
    return concatBytes(this.#seed, this.root, this.chain.toBytes());
  }

  /**
   * The right to read what this one writes, from this index on. Here, where the seed is known, its
   * addresses cost less; its bytes are those of any other reader.
   */
  readCapability(): ReadCapability {
    return ReadCapability.of(this.root, this.chain, addressesOfSeed(this.#seed));
  }

  /** The same right from the next index on. */
  next(): WriteCapability {
    return new WriteCapability(this.#seed, this.root, this.chain.next());
  }

  /** The key of this index's frame, for whoever needs both its address and its signature. */
  signer(context: Uint8Array): BlindedSigner {
    return BlindedSigner.of(this.#seed, this.chain.frameId(context));
  }

  /** The address of this index's frame in the chain named `context`. */
  address(context: Uint8Array): Uint8Array {
    return this.signer(context).address;
  }

  /** The signature over `message` that verifies under `address(context)`. */
  sign(context: Uint8Array, message: Uint8Array): Uint8Array {
    return this.signer(context).sign(message);
  }
}

function requireBytes(bytes: Uint8Array, length: number): void {
  if (!isBytes(bytes)) throw malformed("bytes", "must be a Uint8Array");
  if (bytes.length !== length) throw malformed("length", `is ${bytes.length}, not ${length}`);
}

function malformed(field: string, why: string): CulvertError {
  return new CulvertError("CULVERT_BAD_CAPABILITY", `capability: ${field} ${why}`, {
    detail: { field },
  });
}
