import type { Reader, Writer } from "../codec/index.ts";
import { formatIp, parseIp } from "../identity/index.ts";

const MAPPED_PREFIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

/** The bit of a flags field that says that an address has 16 bytes. */
const IS_IPV6 = 1;

/** The 16 bytes of an IP address in text form, IPv4 mapped into IPv6; `undefined` if it is none. */
export function wideIp(host: string): Uint8Array | undefined {
  const ip = parseIp(host);
  return ip?.length === 4 ? Uint8Array.of(...MAPPED_PREFIX, ...ip) : ip;
}

/** The shortest text of 4 or 16 bytes; IPv4 that was mapped into IPv6 comes out as what it is. */
export function hostOf(ip: Uint8Array): string {
  const isMapped = ip.length === 16 && MAPPED_PREFIX.every((byte, at) => ip[at] === byte);
  return formatIp(isMapped ? ip.subarray(12) : ip);
}

/** What `flags` has to say about the address of `host`, which is our own caller's. */
export function ipFlags(host: string): number {
  return ipOf(host).length === 16 ? IS_IPV6 : 0;
}

/** Writes the address that {@link ipFlags} tells of. */
export function writeIp(writer: Writer, host: string): void {
  writer.bytes(ipOf(host));
}

/** Reads an address whose length `flags` tells; the other flags are reserved, and not looked at. */
export function readIp(reader: Reader, flags: number): string {
  return hostOf(reader.bytes((flags & IS_IPV6) === 0 ? 4 : 16, "ip"));
}

function ipOf(host: string): Uint8Array {
  const ip = parseIp(host);
  if (ip === undefined) throw new RangeError("a host is an IP address");
  return ip;
}
