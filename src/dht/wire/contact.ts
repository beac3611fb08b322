import {
  CulvertError,
  requireArray,
  requireBytes,
  requireObject,
  requireWhole,
} from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import {
  NODE_ID_BYTES,
  type NodeAddress,
  type NodeDescriptor,
  type NodeId,
  readNodeAddress,
  writeNodeAddress,
} from "../../identity/index.ts";
import { byteText, headOf, KEY_BYTES, type KeyText, keyOf, textBytes } from "./key.ts";

/** Addresses and relays that a contact has room for: one for each carrier, and a spare relay. */
export const CONTACT_LIMITS: Readonly<{ addresses: number; relays: number }> = Object.freeze({
  addresses: 2,
  relays: 2,
});

/** Where a node is asked; what a descriptor says at length. */
export interface Reach {
  readonly addresses: readonly NodeAddress[];
  /** Link relays through which the node is reached when it has no address of its own. */
  readonly relays?: readonly NodeId[];
}

/** Whether a node is one of those that are looked for. */
export type IsWanted = (contact: Contact) => boolean;

/**
 * A node as others tell of it: its id and where it is reached. Packed into two short strings, since
 * a node remembers thousands.
 *
 * Nothing in it is proven until the carrier has spoken to the node: then the id is.
 */
export class Contact {
  readonly key: KeyText;
  /** `headOf(key)`: at hand, since a table is searched all the time. */
  readonly head: number;
  /** The packed {@link Reach}, one character a byte. */
  readonly reach: string;
  /** False for a node of a VoidPhone dialect, which can claim any id. */
  readonly isProvable: boolean;
  /**
   * The network where it is heard, or of its first address if that is not known: /24 of IPv4 or /56
   * of IPv6, as a number that is only compared; -1 when it has none, or is heard through a relay.
   * Nodes of one network are taken for nodes of one owner.
   */
  readonly network: number;
  /** Whether the carrier says so: anybody can name any network. */
  readonly isPlaced: boolean;
  /** Whether its first address is of a loopback or private network. */
  readonly isLocal: boolean;

  private constructor(key: KeyText, reach: string, isProvable: boolean, heardIn?: number) {
    this.key = key;
    this.head = headOf(key);
    this.reach = reach;
    this.isProvable = isProvable;
    this.network = heardIn ?? networkOf(reach);
    this.isPlaced = heardIn !== undefined;
    this.isLocal = isLocal(reach);
  }

  /**
   * A node of ours, with as many addresses and relays as a contact has room for.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when there is neither
   * @throws TypeError and RangeError for what is no id, address or relay
   */
  static of(id: NodeId, reach: Reach): Contact {
    return new Contact(keyOf(id), packReach(reach), true);
  }

  /**
   * Reads the reach of the node `key`: what the node says of itself, or another one of it.
   *
   * @throws CulvertError `CULVERT_PROTOCOL`
   */
  static read(key: KeyText, reader: Reader): Contact {
    return new Contact(key, readReach(reader), true);
  }

  /** A peer that speaks a VoidPhone dialect. */
  static claimed(id: NodeId, address: NodeAddress): Contact {
    return new Contact(keyOf(id), packReach({ addresses: [address] }), false);
  }

  /** The same node, counted for the network of the address at which it is heard. */
  heardAt(host: string): Contact {
    const network = networkAt(host);
    if (this.isPlaced && network === this.network) return this;
    return new Contact(this.key, this.reach, this.isProvable, network);
  }

  /** The same node, heard through a relay: it counts for no network that it names. */
  heardThroughRelay(): Contact {
    return this.isRelayed ? this : new Contact(this.key, this.reach, this.isProvable, NOWHERE);
  }

  /** What a verified descriptor says. */
  static ofDescriptor(descriptor: NodeDescriptor): Contact {
    requireObject("descriptor", descriptor);
    return Contact.of(descriptor.id, descriptor.claims);
  }

  /** The node's id, fresh. */
  get id(): NodeId {
    return textBytes(this.key);
  }

  /** What its network was given out of, as a number that is only compared: /24, or /32 of IPv6. */
  get allocation(): number {
    return allocationOf(this.network);
  }

  /** Whether it was heard through a relay. */
  get isRelayed(): boolean {
    return this.isPlaced && this.network === NOWHERE;
  }

  /** Whether it names a private address, though it is heard in the open. */
  get isMisplaced(): boolean {
    return this.isLocal && this.isPlaced && this.network !== NOWHERE;
  }

  get addresses(): readonly NodeAddress[] {
    return unpackReach(this.reach).addresses;
  }

  get relays(): readonly NodeId[] {
    return unpackReach(this.reach).relays;
  }

  /** Whether it is the same node; nearly all others differ in the head already. */
  names(other: Pick<Contact, "key" | "head">): boolean {
    return this.head === other.head && this.key === other.key;
  }

  /** Whether it says the same of the same node. */
  equals(other: Contact): boolean {
    return (
      this.key === other.key && this.reach === other.reach && this.isProvable === other.isProvable
    );
  }

  /** Whether it says what `known`, of the same node, does not, or the carrier says it of it. */
  isNewsAfter(known: Contact): boolean {
    return !this.equals(known) || (known.isRelayed && this.isPlaced && !this.isRelayed);
  }
}

/** @throws TypeError for what is no contact */
export function requireContact(name: string, contact: unknown): void {
  if (!(contact instanceof Contact)) throw new TypeError(`${name} must be a Contact`);
}

/** In the place of a network. */
const NOWHERE = -1;

/** A network fits a small integer: 24 bits of IPv4; of IPv6 hashes of 14 bits and of these 15. */
const IS_IPV6 = 1 << 29;
const WITHIN_ALLOCATION = (1 << 15) - 1;

/** The {@link Contact.allocation} of whoever is heard at this address. */
export function allocationAt(host: string): number {
  return allocationOf(networkAt(host));
}

function allocationOf(network: number): number {
  return (network & IS_IPV6) === 0 ? network : network & ~WITHIN_ALLOCATION;
}

function networkAt(host: string): number {
  return networkOf(packReach({ addresses: [{ carrier: "udp", host, port: 1 }] }));
}

/** The family is at byte 2, and the address behind it. */
function networkOf(reach: string): number {
  if (reach.charCodeAt(0) === 0) return NOWHERE;
  if (reach.charCodeAt(2) === 4) return hashOf(reach, { from: 3, to: 6, factor: 256 });
  const allocation = hashOf(reach, { from: 3, to: 7, factor: 251 }) & 0x3fff;
  const within = hashOf(reach, { from: 7, to: 10, factor: 251 }) & WITHIN_ALLOCATION;
  return IS_IPV6 | (allocation << 15) | within;
}

function hashOf(
  bytes: string,
  { from, to, factor }: { readonly from: number; readonly to: number; readonly factor: number },
): number {
  let hash = 0;
  for (let at = from; at < to; at++) hash = (Math.imul(hash, factor) + bytes.charCodeAt(at)) | 0;
  return hash;
}

const LOOPBACK_V6 = `${"\0".repeat(15)}\x01`;

/** The address begins at byte 3, after the number of addresses, carrier and family. */
function isLocal(reach: string): boolean {
  if (reach.charCodeAt(0) === 0) return false;
  const [a, b] = [reach.charCodeAt(3), reach.charCodeAt(4)];
  if (reach.charCodeAt(2) === 4) {
    const isShared = a === 100 && b >= 64 && b < 128;
    const isPrivate = a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168);
    return a === 127 || isPrivate || isShared || (a === 169 && b === 254);
  }
  return (
    (a & 0xfe) === 0xfc || (a === 0xfe && (b & 0xc0) === 0x80) || reach.startsWith(LOOPBACK_V6, 3)
  );
}

/** Id 32, then the packed reach: {@link readReach}. */
export function writeContact(writer: Writer, contact: Contact): void {
  writer.bytes(textBytes(contact.key));
  writer.bytes(textBytes(contact.reach));
}

/** @throws CulvertError `CULVERT_PROTOCOL` when the bytes are no contact */
export function readContact(reader: Reader): Contact {
  return Contact.read(keyOf(reader.bytes(KEY_BYTES, "contact id")), reader);
}

/**
 * Addresses u8 and each of them, relays u8 and the id of each. The bytes are checked where they lie
 * and kept as they are: an answer has twenty of these.
 *
 * @throws CulvertError `CULVERT_PROTOCOL` when they lead nowhere, or could be written otherwise
 */
function readReach(reader: Reader): string {
  const packed: string[] = [];
  const addresses = reader.u8("contact addresses");
  if (addresses > CONTACT_LIMITS.addresses) reader.refuse("contact addresses", "too many");
  packed.push(String.fromCharCode(addresses));
  for (let i = 0; i < addresses; i++) packed.push(readPackedAddress(reader));
  const relays = reader.u8("contact relays");
  if (relays > CONTACT_LIMITS.relays) reader.refuse("contact relays", "too many");
  if (addresses + relays === 0) reader.refuse("contact relays", "neither way leads there");
  packed.push(String.fromCharCode(relays));
  packed.push(byteText(reader.bytes(relays * NODE_ID_BYTES, "contact relay")));
  return packed.join("");
}

const MAPPED_V4 = `${"\0".repeat(10)}\xff\xff`;

function readPackedAddress(reader: Reader): string {
  const carrier = reader.u8("carrier");
  if (carrier > 1) reader.refuse("carrier", "neither udp nor tcp");
  const family = reader.u8("family");
  if (family !== 4 && family !== 6) reader.refuse("family", "neither 4 nor 6");
  const ip = byteText(reader.bytes(family === 4 ? 4 : 16, "ip"));
  if (family === 6 && ip.startsWith(MAPPED_V4)) reader.refuse("ip", "is an IPv4 address");
  const port = byteText(reader.bytes(2, "port"));
  if (port === "\0\0") reader.refuse("port", "is zero");
  return String.fromCharCode(carrier, family) + ip + port;
}

function packReach(reach: Reach): string {
  requireObject("reach", reach);
  const { addresses, relays = [] } = reach;
  requireArray("addresses", addresses);
  requireArray("relays", relays);
  if (addresses.length + relays.length === 0) {
    throw new CulvertError("CULVERT_UNREACHABLE", "a contact has an address or a relay");
  }
  const writer = new Writer(32);
  const kept = addresses.slice(0, CONTACT_LIMITS.addresses);
  writer.u8(kept.length);
  for (const address of kept) {
    requireObject("an address", address);
    // Others would refuse the whole message that has it in it.
    requireWhole("a port", address.port, 1, 65_535);
    writeNodeAddress(writer, address);
  }
  const spare = relays.slice(0, CONTACT_LIMITS.relays);
  writer.u8(spare.length);
  for (const relay of spare) {
    requireBytes("a relay's id", relay, NODE_ID_BYTES);
    writer.bytes(relay);
  }
  return byteText(writer.finish());
}

function unpackReach(reach: string): Required<Reach> {
  const reader = new Reader(textBytes(reach));
  const addresses = Array.from({ length: reader.u8("addresses") }, () => readNodeAddress(reader));
  const relays = Array.from({ length: reader.u8("relays") }, () =>
    reader.bytes(NODE_ID_BYTES, "relay"),
  );
  return { addresses, relays };
}
