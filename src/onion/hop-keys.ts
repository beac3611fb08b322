import { concatBytes, utf8 } from "../base/index.ts";
import { DOMAIN, keyedHash, keystream, type OnionSuite } from "./suite.ts";

/** What a hop and the origin of a packet share. Views of one buffer. */
export interface HopKeys {
  readonly header: Uint8Array;
  readonly mac: Uint8Array;
  /** A wide-block key: the payload's layer. */
  readonly payload: Uint8Array;
  /** A wide-block key: the layer of a backward unit. */
  readonly backward: Uint8Array;
  /** The layer of the answer to a build. */
  readonly answer: Uint8Array;
  /** 16 bytes by which the hop knows the packet again. */
  readonly replayTag: Uint8Array;
}

const SALT = utf8("culvert/v1/onion/hop");

/**
 * The keys of one hop: HKDF over the shared secret, bound to both public keys, expanded by a
 * ChaCha20 keystream.
 */
export function deriveHopKeys(
  suite: OnionSuite,
  secrets: {
    readonly shared: Uint8Array;
    /** The origin's key for this hop, as the packet carries it. */
    readonly ephemeral: Uint8Array;
    /** The hop's key of the epoch. */
    readonly hopKey: Uint8Array;
  },
): HopKeys {
  const info = concatBytes(secrets.ephemeral, secrets.hopKey);
  const master = suite.hkdfBlake2b({ ikm: secrets.shared, salt: SALT, info, length: 32 });
  const keys = keystream(suite, master, 240);
  return {
    header: keys.subarray(0, 32),
    mac: keys.subarray(32, 64),
    payload: keys.subarray(64, 128),
    backward: keys.subarray(128, 192),
    answer: keys.subarray(192, 224),
    replayTag: keys.subarray(224, 240),
  };
}

/**
 * The name of a packet on the edge between two neighbours, by which a backward unit finds its way:
 * both know the ephemeral key that the packet had there, nobody else does.
 */
export function edgeId(suite: OnionSuite, ephemeral: Uint8Array): Uint8Array {
  const hash = keyedHash(suite, { key: ephemeral, domain: DOMAIN.edge }, new Uint8Array(0));
  return hash.slice(0, 16);
}
