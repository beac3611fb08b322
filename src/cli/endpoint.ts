import { CulvertError } from "../base/index.ts";

/** Where a Map listens. */
export type Endpoint =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

const PORT_MAX = 65_535;

/**
 * Reads `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`.
 *
 * @throws CulvertError `CULVERT_USAGE`
 */
export function parseEndpoint(text: string): Endpoint {
  if (text.startsWith("unix:") && text.length > "unix:".length) {
    return { kind: "unix", path: text.slice("unix:".length) };
  }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text);
  const [, ipv6, name, port] = match ?? [];
  const host = ipv6 ?? name;
  if (host === undefined || Number(port) > PORT_MAX) {
    const message = `"${text}" is no address of a Map: HOST:PORT or unix:PATH`;
    throw new CulvertError("CULVERT_USAGE", message);
  }
  return { kind: "tcp", host, port: Number(port) };
}

/** The text form, as {@link parseEndpoint} reads it. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return `unix:${endpoint.path}`;
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  return `${host}:${endpoint.port}`;
}
