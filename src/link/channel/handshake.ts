import { CulvertError, concatBytes, equalBytes, type Random } from "../../base/index.ts";
import { Reader } from "../../codec/index.ts";
import { crypto } from "../../crypto/index.ts";
import { type NodeId, nodeIdOf } from "../../identity/index.ts";
import { type DhKeys, linkPrologue, NoiseHandshake, type NoiseKeys } from "./noise.ts";

/** Who this end is. */
export interface LinkIdentity {
  /** ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The same key for X25519. */
  readonly keys: DhKeys;
}

/** What one handshake is begun with. */
export interface HandshakeOptions {
  readonly identity: LinkIdentity;
  readonly isInitiator: boolean;
  /** The network; nodes of another one do not understand each other. */
  readonly network: string;
  /** Who has to be at the other end. */
  readonly expectedId?: NodeId | undefined;
  /** The responder's ed25519 key, when the initiator knows it. */
  readonly peerKey?: Uint8Array | undefined;
  readonly random: Random;
}

/** What both ends have when it is over. */
export interface HandshakeResult {
  readonly keys: NoiseKeys;
  /** The peer's ed25519 key: it has proved to hold the secret. */
  readonly peerKey: Uint8Array;
}

/** The longest message: the third one of XX. */
export const HANDSHAKE_BYTES_MAX = 256;

const VERSION = 1;
const PATTERNS = ["XX", "IK"] as const;
const NOTHING = new Uint8Array(0);

/**
 * The handshake of a link, one message at a time: Noise, with each end's ed25519 key as the payload
 * beside the X25519 key that is made from it. The first message says version and pattern.
 *
 * A responder of IK cannot know whether the first message was replayed: the peer is proved by its
 * first record only.
 */
export class Handshake {
  readonly #options: HandshakeOptions;
  #noise: NoiseHandshake | undefined;
  #pattern: (typeof PATTERNS)[number] = "XX";
  #peerKey: Uint8Array | undefined;
  #messages = 0;

  constructor(options: HandshakeOptions) {
    this.#options = options;
  }

  /** What came of it, once all messages were exchanged. */
  get result(): HandshakeResult | undefined {
    const keys = this.#noise?.keys;
    const peerKey = this.#peerKey;
    return keys === undefined || peerKey === undefined ? undefined : { keys, peerKey };
  }

  /**
   * The initiator's first message.
   *
   * @throws CulvertError `CULVERT_WRONG_PEER` when the given key is not that of the given id
   */
  begin(): Uint8Array {
    const { peerKey } = this.#options;
    if (peerKey !== undefined) this.#accept(peerKey);
    this.#start(peerKey === undefined ? "XX" : "IK");
    const head = Uint8Array.of(VERSION, PATTERNS.indexOf(this.#pattern));
    return concatBytes(head, this.#write());
  }

  /**
   * Reads the peer's message.
   *
   * @returns the answer, if there is one
   * @throws CulvertError `CULVERT_PROTOCOL` or `CULVERT_WRONG_PEER`
   */
  receive(message: Uint8Array): Uint8Array | undefined {
    const noise = this.#noise ?? this.#startFrom(message);
    const payload = noise.read(this.#messages === 0 ? message.subarray(2) : message);
    if (payload === undefined) throw broken("a message of the handshake does not hold");
    this.#readIdentity(noise, payload);
    this.#messages += 1;
    return noise.keys === undefined ? this.#write() : undefined;
  }

  #startFrom(message: Uint8Array): NoiseHandshake {
    const reader: Reader = new Reader(message);
    if (reader.u8("version") !== VERSION) reader.refuse("version", "is not known");
    const pattern = PATTERNS[reader.u8("pattern")];
    if (pattern === undefined) reader.refuse("pattern", "is not known");
    return this.#start(pattern);
  }

  #start(pattern: (typeof PATTERNS)[number]): NoiseHandshake {
    const { identity, isInitiator, network, random } = this.#options;
    const remoteKey =
      this.#peerKey === undefined ? undefined : crypto().x25519OfEd25519(this.#peerKey);
    if (isInitiator && pattern === "IK" && remoteKey === undefined) {
      throw new CulvertError("CULVERT_WRONG_PEER", "the peer's key is no ed25519 key");
    }
    this.#pattern = pattern;
    const prologue = linkPrologue(network);
    this.#noise = new NoiseHandshake({
      pattern,
      isInitiator,
      keys: identity.keys,
      remoteKey,
      prologue,
      random,
    });
    return this.#noise;
  }

  #write(): Uint8Array {
    const payload = this.#carriesIdentity ? this.#options.identity.publicKey : NOTHING;
    const message = this.#noise?.write(payload);
    if (message === undefined) throw broken("the peer's keys are of no use");
    this.#messages += 1;
    return message;
  }

  /** Reads the key beside the static one that the same message told, where there is one. */
  #readIdentity(noise: NoiseHandshake, payload: Uint8Array): void {
    if (!this.#carriesIdentity) {
      if (payload.length > 0) throw broken("a message of the handshake is too long");
      return;
    }
    const told = crypto().x25519OfEd25519(payload);
    if (told === undefined || noise.remoteKey === undefined || !equalBytes(told, noise.remoteKey)) {
      throw new CulvertError("CULVERT_WRONG_PEER", "the peer's two keys do not belong together");
    }
    this.#accept(payload.slice());
  }

  /** Whether the message that comes next tells its sender's static key. */
  get #carriesIdentity(): boolean {
    return this.#pattern === "IK" ? this.#messages === 0 : this.#messages > 0;
  }

  #accept(peerKey: Uint8Array): void {
    const { identity, expectedId } = this.#options;
    if (equalBytes(peerKey, identity.publicKey)) {
      throw new CulvertError("CULVERT_WRONG_PEER", "the node at the other end is this one");
    }
    if (expectedId !== undefined && !equalBytes(nodeIdOf(peerKey), expectedId)) {
      throw new CulvertError("CULVERT_WRONG_PEER");
    }
    this.#peerKey = peerKey;
  }
}

function broken(why: string): CulvertError {
  return new CulvertError("CULVERT_PROTOCOL", why);
}
