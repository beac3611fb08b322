import { parseIp } from "./ip-address.ts";

/** How far an IP address is known: to nobody as an endpoint, inside one network, or everywhere. */
export type AddressScope = "none" | "private" | "public";

/**
 * The scope of an address (RFC 6890): unspecified, multicast and broadcast addresses have none;
 * loopback, link-local, private and carrier-grade NAT addresses mean something in one network only.
 */
export function addressScope(host: string): AddressScope {
  const ip = parseIp(host);
  if (ip === undefined) return "none";
  const [a = 0, b = 0] = ip;
  return ip.length === 4 ? scopeV4(a, b) : scopeV6(ip, a, b);
}

/** Whether who listens there does so at every address of its machine. */
export function isAnyHost(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** Whether an address never leaves this machine. */
export function isLoopback(host: string): boolean {
  const ip = parseIp(host);
  if (ip === undefined) return false;
  return ip.length === 4 ? ip[0] === 127 : isZeroButLast(ip) && ip[15] === 1;
}

function scopeV4(a: number, b: number): AddressScope {
  if (a === 0 || a >= 224) return "none";
  const isPrivate =
    a === 10 ||
    a === 127 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168);
  return isPrivate ? "private" : "public";
}

function scopeV6(ip: Uint8Array, a: number, b: number): AddressScope {
  if (isZeroButLast(ip) && ip[15] === 0) return "none";
  if (a === 0xff) return "none";
  const isLinkLocal = a === 0xfe && (b & 0xc0) === 0x80;
  const isUniqueLocal = (a & 0xfe) === 0xfc;
  return isZeroButLast(ip) || isLinkLocal || isUniqueLocal ? "private" : "public";
}

function isZeroButLast(ip: Uint8Array): boolean {
  return ip.subarray(0, 15).every((byte) => byte === 0);
}
