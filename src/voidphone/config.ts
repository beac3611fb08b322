import { type Endpoint, formatEndpoint, type HostPort, parseEndpoint } from "../io/endpoint.ts";
import { type IniSection, type IniSections, type IniValue, iniError, parseIni } from "./ini.ts";

/** Where one module listens, as `HOST:PORT` or `[IPV6]:PORT`. */
export interface ModuleAddresses {
  /** For local clients. */
  readonly api: string;
  /** For other peers, if it is told. */
  readonly p2p?: HostPort;
}

/** What VoidPhone's modules are told by their configuration file, as far as it concerns us. */
export interface VoidphoneConfig {
  /** The path of the host's RSA key in PEM, which all modules of a host share. */
  readonly hostkey: string;
  readonly dht?: ModuleAddresses;
  readonly onion?: ModuleAddresses;
  readonly rps?: ModuleAddresses;
}

/** The modules that Culvert takes the place of, by their sections. */
const MODULES = ["dht", "onion", "rps"] as const;

/** Where modules in Python look for it: their reader of INI files wants a section for each key. */
const OF_PYTHON = "DEFAULT";

/**
 * Reads the configuration file of VoidPhone's modules, the one behind `-c`: `hostkey` before the
 * first section or in `[DEFAULT]`, then a section for each module with `api_address` and
 * `p2p_address`. Other sections and keys belong to other modules.
 *
 * @throws CulvertError `CULVERT_USAGE` with the line and the cause
 *
 * @example
 * ```ts
 * const { dht } = readVoidphoneConfig("hostkey = /k.pem\n[dht]\napi_address = 127.0.0.1:7401\n");
 * ```
 */
export function readVoidphoneConfig(text: string): VoidphoneConfig {
  if (typeof text !== "string") throw iniError(1, "the configuration is no text");
  const sections = parseIni(text);
  refuseCapitals(sections);
  const hostkeyIn = (name: string): IniValue | undefined =>
    sections.get(name)?.values.get("hostkey");
  const hostkey = hostkeyIn("") ?? hostkeyIn(OF_PYTHON);
  if (hostkey === undefined) throw iniError(1, "there is no hostkey before the first section");
  if (hostkey.text === "") throw iniError(hostkey.line, "hostkey is empty");
  const modules = MODULES.flatMap((name) => {
    const section = sections.get(name);
    return section === undefined ? [] : [[name, readModule(name, section)] as const];
  });
  if (modules.length === 0) throw iniError(1, "there is no section [dht], [onion] or [rps]");
  return { hostkey: hostkey.text, ...Object.fromEntries(modules) };
}

function readModule(name: string, { line, values }: IniSection): ModuleAddresses {
  const api = values.get("api_address");
  if (api === undefined) throw iniError(line, `[${name}] has no api_address`);
  const p2p = values.get("p2p_address");
  const apiEndpoint = formatEndpoint(readAddress("api_address", api));
  if (p2p === undefined) return { api: apiEndpoint };
  const { host, port } = readAddress("p2p_address", p2p);
  return { api: apiEndpoint, p2p: { host, port } };
}

function readAddress(key: string, value: IniValue): Endpoint & { readonly kind: "tcp" } {
  const endpoint = parseEndpoint(value.text);
  // No module writes our `tcp:` before it, while a host may have any name.
  if (endpoint?.kind === "tcp" && !/^tcp[: ].*:/.test(value.text)) return endpoint;
  throw iniError(value.line, `${key}: "${value.text}" is neither HOST:PORT nor [IPV6]:PORT`);
}

/** A section that is ours but for its case would be passed over in silence. */
function refuseCapitals(sections: IniSections): void {
  for (const [name, { line }] of sections) {
    const small = name.toLowerCase();
    const isOurs = MODULES.some((module) => module === small);
    if (isOurs && name !== small) throw iniError(line, `sections are in lower case: [${small}]`);
  }
}
