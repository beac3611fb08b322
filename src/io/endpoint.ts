import { CulvertError, shown } from "../base/index.ts";

/** A host, by its address or by a name, and a port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Where something listens. */
export type Endpoint =
  | ({ readonly kind: "tcp" } & HostPort)
  | { readonly kind: "unix"; readonly path: string };

const PORT_MAX = 65_535;

/**
 * Reads `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`; `tcp:` may stand before the first two.
 *
 * @returns `undefined` for anything else
 */
export function parseEndpoint(text: string): Endpoint | undefined {
  if (typeof text !== "string") return undefined;
  const [, path] = /^unix:(.+)$/s.exec(text) ?? [];
  if (path !== undefined) return { kind: "unix", path };
  const match = /^(?:tcp[: ])?(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const [, ipv6, name, digits] = match ?? [];
  const [host, port] = [ipv6 ?? name, Number(digits)];
  if (host === undefined || port > PORT_MAX) return undefined;
  return { kind: "tcp", host, port };
}

/**
 * The same, of what has to be one.
 *
 * @throws CulvertError `CULVERT_USAGE` for anything else
 */
export function requireEndpoint(text: string): Endpoint {
  const endpoint = parseEndpoint(text);
  if (endpoint !== undefined) return endpoint;
  throw new CulvertError(
    "CULVERT_USAGE",
    `"${shown(text)}" is no endpoint: HOST:PORT or unix:PATH`,
  );
}

/** The text form, as {@link parseEndpoint} reads it. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return `unix:${endpoint.path}`;
  const { host, port } = endpoint;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The unit of fairness that an IP address belongs to: the address itself, or for IPv6 the /56 that
 * one customer usually has all of.
 */
export function sourceOf(address: string | undefined): string {
  if (address === undefined) return "unix";
  const host = unmapped(address);
  if (!host.includes(":")) return host;
  const [left = "", right] = host.replace(/%.*$/, "").split("::");
  const head = left === "" ? [] : left.split(":");
  const tail = right === undefined || right === "" ? [] : right.split(":");
  const zeros = right === undefined ? 0 : Math.max(8 - head.length - tail.length, 0);
  const groups = [...head, ...Array.from({ length: zeros }, () => "0"), ...tail];
  const words = groups.slice(0, 4).map((group) => Number.parseInt(group, 16) || 0);
  words[3] = (words[3] ?? 0) & 0xff00;
  return `${words.map((word) => word.toString(16)).join(":")}::/56`;
}

/** An IPv4 address that a socket tells as one of IPv6, as what it is; any other as it stands. */
export function unmapped(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}
