import {
  CulvertError,
  concatBytes,
  equalBytes,
  requireAmount,
  requireArray,
  requireBytes,
  requireMethods,
  requireObject,
  requireOneOf,
  requireWhole,
} from "../base/index.ts";
import { Reader, Writer } from "../codec/index.ts";
import {
  type NodeAddress,
  readNodeAddress,
  requireNodeAddress,
  writeNodeAddress,
} from "./node-address.ts";
import { NODE_ID_BYTES, type NodeId, nodeIdOf } from "./node-id.ts";
import { type NodeIdentity, verifyLabelled } from "./node-identity.ts";

/** All that a node can offer to others, by its bit in a descriptor, lowest first. */
export const NODE_ROLES = ["storage", "link-relay", "onion-relay", "onion-exit"] as const;

/** What a node offers to others. */
export type NodeRole = (typeof NODE_ROLES)[number];

/** What all nodes of one network have in common; nodes of another one are of no use. */
export interface NetworkGeometry {
  /** Payload of every cell of the Map, bytes. */
  readonly cellBytes: number;
  /** Payload of a one-time onion packet, bytes. */
  readonly onionBytes: number;
  /** The most relays that an onion packet has room for. */
  readonly onionHopsMax: number;
}

/** A key that onion packets for this node are made with, while its epoch lasts. */
export interface OnionKey {
  readonly epoch: number;
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** What a node says of itself. Arrays are shared: not to be written to. */
export interface NodeClaims {
  /** Of two descriptors of one node the one with the higher number holds. */
  readonly sequence: number;
  /** Unix time in seconds. */
  readonly expiresAtUnixS: number;
  readonly roles: readonly NodeRole[];
  readonly geometry: NetworkGeometry;
  /** Where it can be reached directly; none when it is only reached through its relays. */
  readonly addresses: readonly NodeAddress[];
  /** Link relays at which it holds a reservation. */
  readonly relays: readonly NodeId[];
  readonly onionKeys: readonly OnionKey[];
}

/** What a list in a descriptor may hold at the most. */
export const DESCRIPTOR_LIMITS: Readonly<{
  addresses: number;
  relays: number;
  onionKeys: number;
  bytes: number;
}> = Object.freeze({ addresses: 8, relays: 4, onionKeys: 3, bytes: 640 });

const VERSION = 1;
const SIGNATURE_BYTES = 64;
const U48_MAX = 2 ** 48 - 1;

/**
 * What a node says of itself, under its own signature: EGTP's comm strategy. It may be kept and
 * passed on by anybody; nobody else can make one, or a newer one.
 */
export class NodeDescriptor {
  readonly id: NodeId;
  /** ed25519, canonical, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly claims: NodeClaims;
  readonly #encoded: Uint8Array;

  private constructor(publicKey: Uint8Array, claims: NodeClaims, encoded: Uint8Array) {
    this.publicKey = publicKey;
    this.id = nodeIdOf(publicKey);
    this.claims = claims;
    this.#encoded = encoded;
  }

  /**
   * Signs what `identity` says of itself.
   *
   * @throws TypeError, RangeError for claims that no reader would take
   */
  static sign(identity: NodeIdentity, claims: NodeClaims): NodeDescriptor {
    requireMethods("identity", identity, "sign");
    requireClaims(claims);
    const writer = new Writer();
    writeBody(writer, identity.publicKey, claims);
    const body = writer.finish();
    const signature = identity.sign("descriptor", body);
    return new NodeDescriptor(identity.publicKey, claims, concatBytes(body, signature));
  }

  /**
   * Reads what {@link toBytes} wrote, wherever it comes from. Whether it has expired is for the
   * caller to look at: a clock is needed for that.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` when the bytes are malformed or the signature is wrong
   */
  static fromBytes(bytes: Uint8Array): NodeDescriptor {
    requireBytes("bytes", bytes);
    if (bytes.length > DESCRIPTOR_LIMITS.bytes) {
      throw new CulvertError("CULVERT_PROTOCOL", "a descriptor is too long");
    }
    const encoded = bytes.slice();
    const reader = new Reader(encoded);
    const { publicKey, claims } = readBody(reader);
    const message = encoded.subarray(0, reader.offset);
    const signature = reader.bytes(SIGNATURE_BYTES, "signature");
    reader.expectEnd();
    // Nothing verifies under a key that is none.
    if (!verifyLabelled("descriptor", { publicKey, message, signature })) {
      reader.refuse("signature", "is not the node's");
    }
    return new NodeDescriptor(publicKey, claims, encoded);
  }

  /** The signed bytes; shared, not to be written to. */
  toBytes(): Uint8Array {
    return this.#encoded;
  }

  /** Whether this descriptor takes the place of `other`, which is of the same node. */
  supersedes(other: NodeDescriptor): boolean {
    requireObject("other", other);
    requireBytes("the id of other", other.id);
    return equalBytes(this.id, other.id) && this.claims.sequence > other.claims.sequence;
  }

  /** @throws RangeError for what is no time: nothing would ever be expired */
  isExpired(unixMs: number): boolean {
    requireAmount("unixMs", unixMs);
    return unixMs >= this.claims.expiresAtUnixS * 1_000;
  }

  has(role: NodeRole): boolean {
    return this.claims.roles.includes(role);
  }
}

/** What is signed wrong is refused by everybody else, and nobody would tell the signer. */
function requireClaims(claims: NodeClaims): void {
  requireObject("claims", claims);
  requireObject("geometry", claims.geometry);
  for (const list of ["roles", "addresses", "relays", "onionKeys"] as const) {
    requireArray(list, claims[list]);
    if (list !== "roles" && claims[list].length > DESCRIPTOR_LIMITS[list]) {
      throw new RangeError(`a descriptor has room for ${DESCRIPTOR_LIMITS[list]} ${list}`);
    }
  }
  requireWhole("sequence", claims.sequence, 0, U48_MAX);
  requireWhole("expiresAtUnixS", claims.expiresAtUnixS, 0, U48_MAX);
  for (const role of claims.roles) requireOneOf("a role", role, NODE_ROLES);
  for (const address of claims.addresses) requireNodeAddress("an address", address);
  for (const relay of claims.relays) requireBytes("the id of a relay", relay, NODE_ID_BYTES);
  for (const key of claims.onionKeys) {
    requireObject("an onion key", key);
    requireBytes("the publicKey of an onion key", key.publicKey, 32);
  }
}

function writeBody(writer: Writer, publicKey: Uint8Array, claims: NodeClaims): void {
  const { geometry } = claims;
  writer.u8(VERSION);
  writer.bytes(publicKey);
  writer.u48(claims.sequence);
  writer.u48(claims.expiresAtUnixS);
  writer.u16(claims.roles.reduce((bits, role) => bits | (1 << NODE_ROLES.indexOf(role)), 0));
  writer.u32(geometry.cellBytes);
  writer.u32(geometry.onionBytes);
  writer.u8(geometry.onionHopsMax);
  writer.u8(claims.addresses.length);
  for (const address of claims.addresses) writeNodeAddress(writer, address);
  writer.u8(claims.relays.length);
  for (const relay of claims.relays) writer.bytes(relay);
  writer.u8(claims.onionKeys.length);
  for (const { epoch, publicKey: key } of claims.onionKeys) {
    writer.u32(epoch);
    writer.bytes(key);
  }
}

function readBody(reader: Reader): { publicKey: Uint8Array; claims: NodeClaims } {
  if (reader.u8("version") !== VERSION) reader.refuse("version", "is not 1");
  const publicKey = reader.bytes(32, "publicKey");
  const sequence = reader.u48("sequence");
  const expiresAtUnixS = reader.u48("expiresAtUnixS");
  const bits = reader.u16("roles");
  if (bits >> NODE_ROLES.length !== 0) reader.refuse("roles", "has an unknown bit");
  const roles = NODE_ROLES.filter((_, bit) => (bits & (1 << bit)) !== 0);
  const geometry = {
    cellBytes: reader.u32("cellBytes"),
    onionBytes: reader.u32("onionBytes"),
    onionHopsMax: reader.u8("onionHopsMax"),
  };
  const addresses = readList(reader, "addresses", () => readNodeAddress(reader));
  const relays = readList(reader, "relays", () => reader.bytes(NODE_ID_BYTES, "relay"));
  const onionKeys = readList(reader, "onionKeys", () => ({
    epoch: reader.u32("epoch"),
    publicKey: reader.bytes(32, "onionKey"),
  }));
  const lists = { addresses, relays, onionKeys };
  return { publicKey, claims: { sequence, expiresAtUnixS, roles, geometry, ...lists } };
}

function readList<T>(
  reader: Reader,
  list: "addresses" | "relays" | "onionKeys",
  readItem: () => T,
): T[] {
  const count = reader.u8(list);
  if (count > DESCRIPTOR_LIMITS[list]) reader.refuse(list, `${count} are too many`);
  return Array.from({ length: count }, readItem);
}
