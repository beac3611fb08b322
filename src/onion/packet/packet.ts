import { assert, isCulvertError, type Random } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import { headerBytes, type OnionGeometry, packetBytes, TAG_BYTES } from "./geometry.ts";
import {
  type BuiltHeader,
  buildHeader,
  type HeaderHop,
  type HopCommand,
  type HopTarget,
  PACKET_VERSION,
  type PeeledHeader,
  peelHeader,
} from "./header.ts";
import { deriveHopKeys, type HopKeys } from "./hop-keys.ts";
import type { KeyRing } from "./key-ring.ts";
import type { OnionSuite } from "./suite.ts";
import { WideBlock } from "./wide-block.ts";

/** What every function that makes or opens onions needs. */
export interface OnionParts {
  readonly suite: OnionSuite;
  readonly geometry: OnionGeometry;
}

/** What a node that others' packets and circuits go through is built from. */
export interface HopComponents {
  readonly parts: OnionParts;
  readonly peeler: Peeler;
  readonly self: NodeId;
  readonly random: Random;
}

/** Why a unit was dropped. Before the MAC nobody but this node's own counters can tell which. */
export type DropReason =
  | "length"
  | "version"
  | "epoch"
  | "key"
  | "mac"
  | "replay"
  | "tags-full"
  | "protocol"
  | "payload"
  | "overload"
  | "loop"
  | "unknown-surb"
  | "unknown-back";

/** A packet that this hop has opened. */
export interface PeeledPacket extends PeeledHeader {
  readonly kind: "peeled";
  /** The packet as the next hop gets it, or for the last hop the payload without its layer. */
  readonly unit: Uint8Array;
  /** A view of {@link unit}: the payload. */
  readonly payload: Uint8Array;
  /** The key of this node that opened it. */
  readonly hopKey: Uint8Array;
  /** What the hop and the origin share, before it was hashed into {@link keys}. */
  readonly shared: Uint8Array;
}

/** What became of a unit. */
export type Peeling = PeeledPacket | { readonly kind: "dropped"; readonly reason: DropReason };

/** A one-time packet with what its origin keeps of it. */
export interface BuiltPacket extends BuiltHeader {
  readonly unit: Uint8Array;
}

/** Bytes that a payload carries. */
export function contentBytesMax(geometry: OnionGeometry): number {
  return geometry.payloadBytes - TAG_BYTES;
}

/**
 * The hops of a plain route: relays, then one that does `last`.
 *
 * @param name 32 bytes that the last hop is given in the place of a next hop
 */
export function hopsOf(
  route: readonly HopTarget[],
  options: {
    readonly last: HopCommand;
    readonly through?: HopCommand;
    readonly name: Uint8Array;
    readonly keepsBackState?: boolean;
    readonly delayMs?: (hop: number) => number;
  },
): HeaderHop[] {
  return route.map(({ onionKey }, i) => {
    const next = route[i + 1];
    return {
      onionKey,
      routing: {
        command: next === undefined ? options.last : (options.through ?? "relay"),
        delayMs: options.delayMs?.(i) ?? 0,
        keepsBackState: options.keepsBackState ?? false,
        next: next?.id ?? options.name,
      },
    };
  });
}

/**
 * Makes a one-time packet. `undefined` when a hop's key is of small order.
 *
 * @param packet.content at most {@link contentBytesMax} bytes, copied; padded with zeros, which no
 *   hop before the last can see
 */
export function buildPacket(
  parts: OnionParts,
  packet: {
    readonly epoch: number;
    readonly hops: readonly HeaderHop[];
    readonly content: Uint8Array;
    readonly random: Random;
  },
): BuiltPacket | undefined {
  const { suite, geometry } = parts;
  assert(packet.content.length <= contentBytesMax(geometry), "the content fits the payload");
  const built = buildHeader(parts, packet);
  if (built === undefined) return undefined;
  const unit = new Uint8Array(packetBytes(geometry));
  unit.set(built.header);
  const payload = unit.subarray(built.header.length);
  payload.set(packet.content, TAG_BYTES);
  for (const keys of built.keys.toReversed()) new WideBlock(suite, keys.payload).encrypt(payload);
  return { ...built, unit };
}

/**
 * Opens one-time packets for one node, and each of them once. What fails before the MAC has cost
 * the same, and is dropped in the same silence, whatever was wrong with it.
 */
export class Peeler {
  readonly #parts: OnionParts;
  readonly #ring: KeyRing;

  constructor(parts: OnionParts, ring: KeyRing) {
    this.#parts = parts;
    this.#ring = ring;
  }

  /** @param unit borrowed; what comes out is new */
  peel(unit: Uint8Array): Peeling {
    const { suite, geometry } = this.#parts;
    if (unit.length !== packetBytes(geometry)) return { kind: "dropped", reason: "length" };
    const header = unit.subarray(0, headerBytes(geometry));
    const { key, shared, reason } = this.#agree(header);
    const keys = deriveHopKeys(this.#parts, {
      shared,
      ephemeral: header.subarray(2, 34),
      hopKey: key.publicKey,
    });
    const next = new Uint8Array(unit.length);
    const peeled = peelOrUndefined(suite, header, keys, next.subarray(0, header.length));
    if (reason !== undefined) return { kind: "dropped", reason };
    if (peeled === undefined) return { kind: "dropped", reason: "mac" };
    const tag = key.tags.add(keys.replayTag);
    if (tag !== "added") {
      return { kind: "dropped", reason: tag === "seen" ? "replay" : "tags-full" };
    }
    if (peeled === "protocol") return { kind: "dropped", reason: "protocol" };
    const payload = next.subarray(header.length);
    payload.set(unit.subarray(header.length));
    new WideBlock(suite, keys.payload).decrypt(payload);
    return {
      kind: "peeled",
      ...peeled,
      unit: next,
      payload,
      hopKey: key.publicKey,
      shared,
    };
  }

  /** The shared secret; for a packet that is lost already one that opens nothing. */
  #agree(header: Uint8Array) {
    const { suite } = this.#parts;
    const found = this.#ring.find(header[1] as number);
    const key = found ?? this.#ring.decoy;
    const secret = suite.x25519(key.secret, header.subarray(2, 34));
    const shared = secret ?? key.publicKey;
    return { key, shared, reason: this.#fault(header, found !== undefined, secret !== undefined) };
  }

  #fault(header: Uint8Array, hasKey: boolean, hasSecret: boolean): DropReason | undefined {
    if (header[0] !== PACKET_VERSION) return "version";
    if (!hasKey) return "epoch";
    return hasSecret ? undefined : "key";
  }
}

/**
 * What a last hop finds in a payload that nobody has changed: a view behind the tag.
 * `undefined` when anybody has.
 */
export function openPayload(payload: Uint8Array): Uint8Array | undefined {
  return isTagged(payload) ? payload.subarray(TAG_BYTES) : undefined;
}

/** Whether a block begins with the zeros of an unchanged one. */
export function isTagged(block: Uint8Array): boolean {
  let sum = 0;
  for (let i = 0; i < TAG_BYTES; i++) sum |= block[i] as number;
  return sum === 0;
}

function peelOrUndefined(
  suite: OnionSuite,
  header: Uint8Array,
  keys: HopKeys,
  into: Uint8Array,
): PeeledHeader | "protocol" | undefined {
  try {
    return peelHeader(suite, header, keys, into);
  } catch (error) {
    if (isCulvertError(error, "CULVERT_PROTOCOL")) return "protocol";
    throw error;
  }
}
