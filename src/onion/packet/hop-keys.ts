import { concatBytes } from "../../base/index.ts";
import { BLOCK_BYTES, type OnionGeometry } from "./geometry.ts";
import { DOMAIN, keyedHash, keystream, type OnionSuite } from "./suite.ts";

/** What a hop and the origin of a packet share. Views of one buffer. */
export interface HopKeys {
  readonly mac: Uint8Array;
  /** What the routing blocks are XORed with, one block longer than they are. */
  readonly blocks: Uint8Array;
  /** A wide-block key: the payload's layer. */
  readonly payload: Uint8Array;
  /** A wide-block key: the layer of a backward unit. */
  readonly backward: Uint8Array;
  /** The layer of the answer to a build. */
  readonly answer: Uint8Array;
  /** 16 bytes by which the hop knows the packet again. */
  readonly replayTag: Uint8Array;
}

/** Payload 64, backward 64, answer 32, replay tag 16. */
const OTHER_KEYS_BYTES = 176;

/**
 * The keys of one hop: one hash of the shared secret, bound to both public keys, and one keystream.
 * A hop computes them before it knows whether a packet is any good, so they have to be cheap.
 */
export function deriveHopKeys(
  { suite, geometry }: { readonly suite: OnionSuite; readonly geometry: OnionGeometry },
  secrets: {
    readonly shared: Uint8Array;
    /** The origin's key for this hop, as the packet carries it. */
    readonly ephemeral: Uint8Array;
    /** The hop's key of the epoch. */
    readonly hopKey: Uint8Array;
  },
): HopKeys {
  const bound = concatBytes(secrets.ephemeral, secrets.hopKey);
  const master = keyedHash(suite, { key: secrets.shared, domain: DOMAIN.hopKeys }, bound);
  const at = (geometry.hopsMax + 1) * BLOCK_BYTES;
  const keys = keystream(suite, master.subarray(32), at + OTHER_KEYS_BYTES);
  return {
    mac: master.subarray(0, 32),
    blocks: keys.subarray(0, at),
    payload: keys.subarray(at, at + 64),
    backward: keys.subarray(at + 64, at + 128),
    answer: keys.subarray(at + 128, at + 160),
    replayTag: keys.subarray(at + 160, at + 176),
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
