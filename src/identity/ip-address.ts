import { requireBytes, requireText } from "../base/index.ts";

/** An address of the internet protocol, big-endian: 4 or 16 bytes. */
export type IpAddress = Uint8Array;

/**
 * The bytes of an IP address in text form, or `undefined` when it is none. An IPv4 address mapped
 * into IPv6 comes out as the IPv4 address that it is; zones (`%eth0`) are refused.
 */
export function parseIp(text: string): IpAddress | undefined {
  requireText("an address", text);
  return text.includes(":") ? parseV6(text) : parseV4(text);
}

/**
 * The shortest text form (RFC 5952) of 4 or 16 bytes.
 *
 * @throws RangeError for another number of bytes, TypeError for what is none
 */
export function formatIp(ip: IpAddress): string {
  requireBytes("ip", ip);
  if (ip.length === 4) return ip.join(".");
  requireBytes("ip", ip, 16);
  const groups = Array.from(
    { length: 8 },
    (_, at) => (ip[2 * at] ?? 0) * 256 + (ip[2 * at + 1] ?? 0),
  );
  const { start, length } = longestZeros(groups);
  const hex = (part: readonly number[]): string =>
    part.map((group) => group.toString(16)).join(":");
  if (length < 2) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function parseV4(text: string): IpAddress | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part)))
    return undefined;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? Uint8Array.from(bytes) : undefined;
}

function parseV6(text: string): IpAddress | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  // An address may end as IPv4, and only there.
  if (halves.length === 2 && halves[0]?.includes(".") === true) return undefined;
  const [head, tail] = halves.map((half) => (half === "" ? [] : groupsOf(half)));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<number>(missing).fill(0), ...(tail ?? [])];
  const ip = Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  return isMapped ? ip.slice(12) : ip;
}

/** The 16-bit groups of a part of an IPv6 address; the last two may be written as IPv4. */
function groupsOf(text: string): number[] | undefined {
  const words = text.split(":");
  const last = words.at(-1) ?? "";
  const v4 = last.includes(".") ? parseV4(last) : undefined;
  if (v4 !== undefined) {
    words.pop();
    const [a = 0, b = 0, c = 0, d = 0] = v4;
    words.push((a * 256 + b).toString(16), (c * 256 + d).toString(16));
  }
  if (words.length > 8 || !words.every((word) => /^[0-9a-fA-F]{1,4}$/.test(word))) return undefined;
  return words.map((word) => Number.parseInt(word, 16));
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === 0) end += 1;
    if (end - start > best.length) best = { start, length: end - start };
    if (end > start) start = end;
  }
  return best;
}
