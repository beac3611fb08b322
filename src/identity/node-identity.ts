import { concatBytes, requireBytes, requireObject, requireOneOf, utf8 } from "../base/index.ts";
import { crypto, SigningKey } from "../crypto/index.ts";
import { type NodeId, nodeIdOf } from "./node-id.ts";

const LABELS = ["descriptor", "punch", "reservation", "voucher", "receipt"] as const;

/** What a node signs, each under a label of its own: no signature is good for another purpose. */
export type SignatureLabel = (typeof LABELS)[number];

/**
 * The ed25519 key that a node is known by. It signs what others have to believe of the node, and
 * proves in a link's handshake who is at the other end.
 */
export class NodeIdentity {
  readonly publicKey: Uint8Array;
  readonly id: NodeId;
  readonly #seed: Uint8Array;
  readonly #key: SigningKey;

  /**
   * @param seed 32 secret bytes, copied; fresh ones make a new node
   * @throws TypeError, RangeError for what is no seed
   */
  constructor(seed: Uint8Array) {
    requireBytes("seed", seed, 32);
    this.#key = new SigningKey(seed);
    this.#seed = seed.slice();
    this.publicKey = this.#key.publicKey;
    this.id = nodeIdOf(this.publicKey);
  }

  /** Signs `message` under `label`, 64 bytes; {@link verifyLabelled} is the other half. */
  sign(label: SignatureLabel, message: Uint8Array): Uint8Array {
    return this.#key.sign(labelled(label, message));
  }

  /** The secret seed, a copy: for a handshake that needs the key itself, and for nothing else. */
  exposeSeed(): Uint8Array {
    return this.#seed.slice();
  }
}

/** Whether `publicKey` signed `message` under `label`. All bytes may come from a stranger. */
export function verifyLabelled(
  label: SignatureLabel,
  signed: {
    readonly publicKey: Uint8Array;
    readonly message: Uint8Array;
    readonly signature: Uint8Array;
  },
): boolean {
  requireObject("signed", signed);
  const { publicKey, message, signature } = signed;
  requireBytes("publicKey", publicKey);
  requireBytes("signature", signature);
  return crypto().ed25519Verify(publicKey, labelled(label, message), signature);
}

function labelled(label: SignatureLabel, message: Uint8Array): Uint8Array {
  requireOneOf("label", label, LABELS);
  requireBytes("message", message);
  return concatBytes(utf8(`culvert/v1/${label}\0`), message);
}
