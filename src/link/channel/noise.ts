/// <reference path="../../../types/noise-handshake.d.ts" />
import type NoiseState from "noise-handshake";
import { concatBytes, type Random, utf8 } from "../../base/index.ts";
import { crypto } from "../../crypto/index.ts";
import { requireNoise } from "../../io/machine-code.ts";

/** The handshake patterns in use: XX for a stranger, IK for a peer whose key is known. */
export type NoisePattern = "XX" | "IK";

/** An X25519 key pair, 32 bytes each. */
export interface DhKeys {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** What a handshake is begun with. Bytes are borrowed for its life. */
export interface NoiseOptions {
  readonly pattern: NoisePattern;
  readonly isInitiator: boolean;
  readonly keys: DhKeys;
  /** The responder's key: for the initiator of IK. */
  readonly remoteKey?: Uint8Array | undefined;
  /** What both ends must agree on without saying it. */
  readonly prologue: Uint8Array;
  /** Where the ephemeral secret comes from. */
  readonly random: Random;
}

/** What a complete handshake gives. */
export interface NoiseKeys {
  readonly send: Uint8Array;
  readonly receive: Uint8Array;
}

/**
 * The handshake of `Noise_XX_25519_ChaChaPoly_BLAKE2b` or `Noise_IK_25519_ChaChaPoly_BLAKE2b`
 * (revision 34), one message at a time. The state machine is noise-handshake's; X25519 is the
 * crypto provider's, and refuses a shared secret of zeros; chance is the caller's.
 */
export class NoiseHandshake {
  readonly #state: NoiseState;

  constructor({ pattern, isInitiator, keys, remoteKey, prologue, random }: NoiseOptions) {
    const State = requireNoise();
    this.#state = new State(pattern, isInitiator, keys, { curve: curveOver(random) });
    this.#state.initialise(prologue, remoteKey);
  }

  /** The peer's static key, once a message has told it. */
  get remoteKey(): Uint8Array | undefined {
    const { rs } = this.#state;
    return rs === null ? undefined : owned(rs);
  }

  /** The keys of the two directions, once the last message was written or read. */
  get keys(): NoiseKeys | undefined {
    const { tx, rx } = this.#state;
    return tx === null || rx === null ? undefined : { send: owned(tx), receive: owned(rx) };
  }

  /** The next message of this side, or `undefined` when the peer's keys are of no use. */
  write(payload: Uint8Array): Uint8Array | undefined {
    return attempt(() => this.#state.send(payload));
  }

  /** The payload of the peer's next message, or `undefined` when the message does not hold. */
  read(message: Uint8Array): Uint8Array | undefined {
    // Copied: the state machine wipes parts of what it was given.
    return attempt(() => this.#state.recv(message.slice()));
  }
}

function attempt(step: () => Uint8Array): Uint8Array | undefined {
  try {
    return owned(step());
  } catch {
    return undefined; // a wrong tag, too few bytes, or a shared secret of zeros
  }
}

/** A plain copy that shares no memory with the state machine. */
function owned(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function curveOver(random: Random): ConstructorParameters<typeof NoiseState>[3]["curve"] {
  return {
    ALG: "25519",
    DHLEN: 32,
    PKLEN: 32,
    SKLEN: 32,
    generateKeyPair() {
      const secretKey = random.bytes(32);
      return { secretKey, publicKey: crypto().x25519PublicKey(secretKey) };
    },
    dh(publicKey, { secretKey }) {
      const shared = crypto().x25519(secretKey, publicKey);
      if (shared === undefined) throw new RangeError("a public key of small order");
      return shared;
    },
  };
}

/**
 * The node's ed25519 identity as X25519 keys: the same scalar, the same point in the other
 * coordinates. Using one key for both is sound: Thormarker, "On using the same key pair for Ed25519
 * and an X25519 based KEM", 2021.
 *
 * @param seed of the identity, borrowed
 */
export function dhKeysOf(seed: Uint8Array): DhKeys {
  const secretKey = crypto().sha512(seed).slice(0, 32);
  return { secretKey, publicKey: crypto().x25519PublicKey(secretKey) };
}

/** What both ends of a link bind into its handshake: the protocol, its version, the network. */
export function linkPrologue(network: string): Uint8Array {
  return concatBytes(utf8("culvert/v1/link\0"), utf8(network));
}
