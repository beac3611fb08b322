import { assert, type Random } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import { equalSecret } from "../../crypto/index.ts";
import type { NodeId } from "../../identity/index.ts";
import { BLOCK_BYTES, MAC_BYTES, type OnionGeometry } from "./geometry.ts";
import { deriveHopKeys, type HopKeys } from "./hop-keys.ts";
import { DOMAIN, keyedHash, type OnionSuite } from "./suite.ts";

/** The first byte of a one-time packet. */
export const PACKET_VERSION = 1;

/** What a hop is told to do. */
export type HopCommand =
  /** Pass the packet on. */
  | "relay"
  /** The payload is for this node. */
  | "deliver"
  /** The payload came home to the origin of a reply block. */
  | "home"
  /** Take part in a circuit and pass its build on. */
  | "extend"
  /** Be the last hop of a circuit. */
  | "exit";

const COMMANDS: readonly HopCommand[] = ["relay", "deliver", "home", "extend", "exit"];

/** Bit of the first flag byte: keep what a backward unit needs. */
const KEEPS_BACK_STATE = 1;

/** The longest that a hop may be asked to hold a packet. */
export const DELAY_MS_MAX = 65_535;

/** What is inside a routing block, but for the header that comes next. */
export interface Routing {
  readonly command: HopCommand;
  readonly delayMs: number;
  /** The origin wants a backward unit, for a reply or a failure. */
  readonly keepsBackState: boolean;
  /** 32 bytes: the next hop, or for `deliver` and `home` a name that the origin has chosen. */
  readonly next: Uint8Array;
}

/** A hop of a route, as the origin of a packet knows it. */
export interface HopTarget {
  readonly id: NodeId;
  /** Its X25519 key of the packet's epoch. */
  readonly onionKey: Uint8Array;
}

/** A hop with what it is told. */
export interface HeaderHop {
  readonly onionKey: Uint8Array;
  readonly routing: Routing;
}

/** A header with the secrets of its origin, by hop. */
export interface BuiltHeader {
  readonly header: Uint8Array;
  readonly keys: readonly HopKeys[];
  /** The X25519 secrets and public keys that the origin made. */
  readonly ephemerals: readonly { readonly secret: Uint8Array; readonly publicKey: Uint8Array }[];
}

/** What a hop finds in a header. */
export interface PeeledHeader {
  readonly keys: HopKeys;
  readonly routing: Routing;
  /** The ephemeral keys of the packet before and after this hop. */
  readonly ephemeral: Uint8Array;
  readonly nextEphemeral: Uint8Array;
  /** What the next hop gets. */
  readonly header: Uint8Array;
}

/** @throws RangeError when a route has no hops, or more than a packet has room for */
export function requireRoom(hops: number, { hopsMax }: OnionGeometry): void {
  if (hops >= 1 && hops <= hopsMax) return;
  throw new RangeError(`a route has 1 to ${hopsMax} hops in this network, not ${hops}`);
}

/**
 * Makes the header of a packet through `hops`, the first one first. `undefined` when a hop's key
 * is of small order.
 */
export function buildHeader(
  parts: { readonly suite: OnionSuite; readonly geometry: OnionGeometry },
  packet: {
    readonly epoch: number;
    readonly hops: readonly HeaderHop[];
    readonly random: Random;
  },
): BuiltHeader | undefined {
  const { hops, epoch, random } = packet;
  const { suite } = parts;
  const { hopsMax } = parts.geometry;
  requireRoom(hops.length, parts.geometry);
  const keys: HopKeys[] = [];
  const ephemerals: { secret: Uint8Array; publicKey: Uint8Array }[] = [];
  for (const { onionKey } of hops) {
    const secret = random.bytes(32);
    const shared = suite.x25519(secret, onionKey);
    if (shared === undefined) return undefined;
    const publicKey = suite.x25519PublicKey(secret);
    ephemerals.push({ secret, publicKey });
    keys.push(deriveHopKeys(parts, { shared, ephemeral: publicKey, hopKey: onionKey }));
  }
  const streams = keys.map((key) => key.blocks);
  let blocks = lastBlocks(hopsMax, streams, random);
  let next = { ephemeral: random.bytes(32), mac: random.bytes(MAC_BYTES) };
  let header = new Uint8Array(0);
  for (let i = hops.length - 1; i >= 0; i--) {
    const [hop, key, stream, own] = [hops[i], keys[i], streams[i], ephemerals[i]];
    assert(hop && key && stream && own, "every hop has its keys");
    const sealed = blocks.slice(0, hopsMax * BLOCK_BYTES);
    sealed.copyWithin(BLOCK_BYTES, 0, (hopsMax - 1) * BLOCK_BYTES);
    writeBlock(sealed.subarray(0, BLOCK_BYTES), hop.routing, next);
    // The last hop's filler is what the hops before it will have made: it is not enciphered again.
    const ownBlocks = i === hops.length - 1 ? hopsMax - i : hopsMax;
    for (let at = 0; at < ownBlocks * BLOCK_BYTES; at++) {
      sealed[at] = (sealed[at] as number) ^ (stream[at] as number);
    }
    header = writeHeader(suite, { epoch, ephemeral: own.publicKey, blocks: sealed, mac: key.mac });
    next = { ephemeral: own.publicKey, mac: header.slice(-MAC_BYTES) };
    blocks = sealed;
  }
  return { header, keys, ephemerals };
}

/**
 * Opens the header of a packet for the hop with `keys`, whose blocks are used up. `undefined` when
 * the MAC is not right.
 *
 * @param header of exactly the network's length, borrowed
 * @param into as long; gets the header for the next hop
 */
export function peelHeader(
  suite: OnionSuite,
  header: Uint8Array,
  keys: HopKeys,
  into: Uint8Array,
): PeeledHeader | undefined {
  const macAt = header.length - MAC_BYTES;
  const expected = headerMac(suite, keys.mac, header.subarray(0, macAt));
  if (!equalSecret(expected, header.subarray(macAt))) return undefined;
  // One block of zeros moves in at the end for the one that this hop takes out.
  const opened = keys.blocks;
  for (let at = 34; at < macAt; at++) {
    opened[at - 34] = (opened[at - 34] as number) ^ (header[at] as number);
  }
  const { routing, ephemeral, mac } = readBlock(opened.subarray(0, BLOCK_BYTES));
  into.set(header.subarray(0, 2));
  into.set(ephemeral, 2);
  into.set(opened.subarray(BLOCK_BYTES), 34);
  into.set(mac, macAt);
  const own = header.slice(2, 34);
  return { keys, routing, ephemeral: own, nextEphemeral: ephemeral, header: into };
}

/**
 * The blocks that the last hop is given, without its own: random ones behind it, so that it does
 * not learn how long the route was, then the filler that the hops before it leave at the end.
 */
function lastBlocks(hopsMax: number, streams: readonly Uint8Array[], random: Random): Uint8Array {
  const before = streams.length - 1;
  const blocks = random.bytes(hopsMax * BLOCK_BYTES);
  let filler = new Uint8Array(0);
  for (const [i, stream] of streams.slice(0, before).entries()) {
    const longer = new Uint8Array(filler.length + BLOCK_BYTES);
    longer.set(filler);
    const from = (hopsMax - i) * BLOCK_BYTES;
    for (let at = 0; at < longer.length; at++) {
      longer[at] = (longer[at] as number) ^ (stream[from + at] as number);
    }
    filler = longer;
  }
  // One block further on than where it will lie: the last hop's own block moves in at the front.
  blocks.set(filler, (hopsMax - 1 - before) * BLOCK_BYTES);
  return blocks;
}

function writeHeader(
  suite: OnionSuite,
  parts: {
    readonly epoch: number;
    readonly ephemeral: Uint8Array;
    readonly blocks: Uint8Array;
    readonly mac: Uint8Array;
  },
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(34 + parts.blocks.length + MAC_BYTES);
  header[0] = PACKET_VERSION;
  header[1] = parts.epoch & 0xff;
  header.set(parts.ephemeral, 2);
  header.set(parts.blocks, 34);
  const macAt = header.length - MAC_BYTES;
  header.set(headerMac(suite, parts.mac, header.subarray(0, macAt)), macAt);
  return header;
}

function headerMac(suite: OnionSuite, key: Uint8Array, message: Uint8Array): Uint8Array {
  return keyedHash(suite, { key, domain: DOMAIN.headerMac }, message).subarray(0, MAC_BYTES);
}

function writeBlock(
  block: Uint8Array,
  routing: Routing,
  next: { readonly ephemeral: Uint8Array; readonly mac: Uint8Array },
): void {
  const writer = Writer.into(block);
  writer.u8(COMMANDS.indexOf(routing.command)).u16(routing.delayMs);
  writer.u8(routing.keepsBackState ? KEEPS_BACK_STATE : 0).zeros(4);
  writer.bytes(routing.next).bytes(next.ephemeral).bytes(next.mac);
}

/** @throws CulvertError `CULVERT_PROTOCOL` on an unknown command: the origin is of the future */
function readBlock(block: Uint8Array): {
  routing: Routing;
  ephemeral: Uint8Array;
  mac: Uint8Array;
} {
  const reader: Reader = new Reader(block);
  const command = COMMANDS[reader.u8("command")];
  if (command === undefined) reader.refuse("command", "is unknown");
  const delayMs = reader.u16("delay");
  const keepsBackState = (reader.bytes(5, "flags")[0] ?? 0) % 2 === KEEPS_BACK_STATE;
  const next = reader.bytes(32, "next");
  const ephemeral = reader.bytes(32, "next ephemeral");
  const mac = reader.bytes(MAC_BYTES, "next MAC");
  return { routing: { command, delayMs, keepsBackState, next }, ephemeral, mac };
}
