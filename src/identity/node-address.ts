import {
  CulvertError,
  requireObject,
  requireOneOf,
  requireText,
  requireWhole,
} from "../base/index.ts";
import type { Reader, Writer } from "../codec/index.ts";
import { addressScope } from "./address-scope.ts";
import { formatIp, type IpAddress, parseIp } from "./ip-address.ts";

/** The ways in which one node reaches another directly. */
export type CarrierName = "udp" | "tcp";

/** Where a node listens with one of its carriers. */
export interface NodeAddress {
  readonly carrier: CarrierName;
  /** An IP address in its shortest text form; names are resolved before. */
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
}

const CARRIERS: readonly CarrierName[] = ["udp", "tcp"];

/** Bytes of an encoded IPv6 address: kind, family, address and port. */
export const NODE_ADDRESS_BYTES_MAX = 20;

/**
 * Reads `udp://192.0.2.1:7000` or `tcp://[2001:db8::1]:7000`.
 *
 * @throws CulvertError `CULVERT_USAGE` when the text is no such address
 */
export function parseNodeAddress(text: string): NodeAddress {
  const address = parseListenAddress(text);
  if (address.port > 0) return address;
  throw new CulvertError("CULVERT_USAGE", "nobody can be reached at port 0");
}

/**
 * The same for where a node is to listen: port 0 stands for any that is free.
 *
 * @throws CulvertError `CULVERT_USAGE`
 */
export function parseListenAddress(text: string): NodeAddress {
  requireText("an address", text);
  const match = /^(udp|tcp):\/\/(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const [, carrier, v6, v4, digits] = match ?? [];
  const ip = parseIp(v6 ?? v4 ?? "");
  const port = Number(digits);
  const isWhole = ip !== undefined && port <= 65_535;
  if (!isWhole || (ip.length === 16) !== (v6 !== undefined)) {
    throw new CulvertError("CULVERT_USAGE", "an address looks like udp://192.0.2.1:7000");
  }
  return { carrier: carrier === "udp" ? "udp" : "tcp", host: formatIp(ip), port };
}

/**
 * For what a program gives; what a peer sends is parsed.
 *
 * @throws TypeError, RangeError for what is no address that can be dialled
 */
export function requireNodeAddress(name: string, address: NodeAddress): void {
  requireObject(name, address);
  const { carrier, host, port } = address;
  requireOneOf("carrier", carrier, CARRIERS);
  requireText("host", host);
  if (parseIp(host) === undefined) throw new RangeError("host must be an IP address");
  requireWhole("port", port, 1, 65_535);
}

/** The text that {@link parseNodeAddress} reads. */
export function formatNodeAddress(address: NodeAddress): string {
  requireObject("address", address);
  const { carrier, host, port } = address;
  requireText("host", host);
  return `${carrier}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * The network that an address is in, as text: the first 24 bits of IPv4, 56 of IPv6. Nodes of one
 * prefix are taken for nodes of one owner.
 */
export function addressPrefix(host: string): string {
  const ip = parseIp(host);
  if (ip === undefined) return host;
  const length = ip.length === 4 ? 3 : 7;
  const head = ip.map((byte, at) => (at < length ? byte : 0));
  return `${formatIp(head)}/${8 * length}`;
}

/** The same of a public address; a private one says nothing of whose it is. */
export function publicPrefix(host: string): string | undefined {
  return addressScope(host) === "public" ? addressPrefix(host) : undefined;
}

/** Carrier u8, family u8 (4 or 6), the address, port u16. */
export function writeNodeAddress(writer: Writer, address: NodeAddress): void {
  const ip = parseIp(address.host);
  if (ip === undefined) throw new RangeError("a node's host is an IP address");
  writer.u8(CARRIERS.indexOf(address.carrier));
  writer.u8(ip.length === 4 ? 4 : 6);
  writer.bytes(ip);
  writer.u16(address.port);
}

/** @throws CulvertError `CULVERT_PROTOCOL` when the bytes are no address */
export function readNodeAddress(reader: Reader): NodeAddress {
  const carrier = CARRIERS[reader.u8("carrier")];
  if (carrier === undefined) reader.refuse("carrier", "neither udp nor tcp");
  const family = reader.u8("family");
  if (family !== 4 && family !== 6) reader.refuse("family", "neither 4 nor 6");
  const ip: IpAddress = reader.bytes(family === 4 ? 4 : 16, "ip");
  const host = formatIp(ip);
  // IPv4 in IPv6 clothes would be a second form of one address, and of another network.
  if (parseIp(host)?.length !== ip.length) reader.refuse("ip", "is an IPv4 address inside IPv6");
  const port = reader.u16("port");
  if (port === 0) reader.refuse("port", "is zero");
  return { carrier, host, port };
}
