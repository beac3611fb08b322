import { concatBytes, utf8, wipe } from "../../base/index.ts";
import { DOMAIN, keyedHash, keystream, type OnionSuite } from "../packet/suite.ts";
import { WideBlock } from "../packet/wide-block.ts";

/** Bytes of a proof that a cell was received. */
const PROOF_BYTES = 16;

const SALT = utf8("culvert/v1/onion/circuit");

/**
 * One hop's layer in one direction of a circuit. Every cell moves its tweak on: what was changed,
 * dropped, repeated or moved garbles itself and all that follow.
 */
export class Layer {
  readonly #suite: OnionSuite;
  readonly #cipher: WideBlock;
  readonly #tweak: Uint8Array;

  /** Key and first tweak are copied. */
  constructor(suite: OnionSuite, key: Uint8Array, tweak: Uint8Array) {
    this.#suite = suite;
    this.#cipher = new WideBlock(suite, key);
    this.#tweak = tweak.slice();
  }

  /** Puts the layer on a cell, where it lies. */
  seal(cell: Uint8Array): void {
    this.#cipher.encrypt(cell, this.#tweak, this.#tweak);
  }

  /** Takes it off. */
  open(cell: Uint8Array): void {
    this.#cipher.decrypt(cell, this.#tweak, this.#tweak);
  }

  /** What only somebody can know who has seen every cell up to the last one. */
  proof(): Uint8Array {
    const key = { key: this.#tweak, domain: DOMAIN.creditProof };
    return keyedHash(this.#suite, key, new Uint8Array(0)).slice(0, PROOF_BYTES);
  }
}

/** What a hop of a circuit and its origin share. */
export interface CircuitKeys {
  readonly forward: Layer;
  readonly backward: Layer;
  /** Confirms that the hop has the keys. */
  readonly confirm: Uint8Array;
}

/**
 * The keys of one hop of a circuit: from the secret of the hop's epoch key, which says who it is,
 * and that of its ephemeral key, which is gone when the circuit is.
 */
export function deriveCircuitKeys(
  suite: OnionSuite,
  secrets: {
    /** X25519 of the origin's ephemeral key with the hop's keys: of the epoch, and ephemeral. */
    readonly shared: Uint8Array;
    readonly sharedEphemeral: Uint8Array;
    /** The public keys, in this order. */
    readonly transcript: readonly [origin: Uint8Array, hop: Uint8Array, hopEphemeral: Uint8Array];
  },
): CircuitKeys {
  const ikm = concatBytes(secrets.shared, secrets.sharedEphemeral);
  const info = concatBytes(...secrets.transcript);
  const master = suite.hkdfBlake2b({ ikm, salt: SALT, info, length: 32 });
  wipe(ikm);
  const keys = keystream(suite, master, 224);
  return {
    forward: new Layer(suite, keys.subarray(0, 64), keys.subarray(128, 160)),
    backward: new Layer(suite, keys.subarray(64, 128), keys.subarray(160, 192)),
    confirm: keys.slice(192, 224),
  };
}
