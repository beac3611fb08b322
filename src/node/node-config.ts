import { parse as parseToml, TomlError } from "smol-toml";
import * as v from "valibot";
import { CulvertError, requireArray, requireObject, requirePositive } from "../base/index.ts";
import {
  type NetworkGeometry,
  NODE_ROLES,
  type NodeAddress,
  type NodeContact,
  type NodeRole,
  parseListenAddress,
  parseNodeAddress,
  parseNodeContact,
} from "../identity/index.ts";
import { formatEndpoint } from "../io/endpoint.ts";
import { OPERATION_PAYLOAD_BYTES_MAX, ROUTE_DEFAULTS } from "../onion/index.ts";
import { readVoidphoneConfig, type VoidphoneConfig } from "../voidphone/index.ts";

/** How one storage and relay node is set up. */
export interface NodeConfig {
  /** Where it keeps its key, its records and what it knows of others; in memory without it. */
  readonly directory: string | undefined;
  /** Where it listens: at most one UDP and one TCP port; port 0 takes a free one. */
  readonly listen: readonly NodeAddress[];
  /** Where others reach it, when that is not where it listens. */
  readonly announce: readonly NodeAddress[];
  /**
   * Whether others reach it at its addresses, or, when no router lets them in, only through the
   * relays at which it keeps places; `auto` asks others to find out, unless `announce` says where.
   */
  readonly reachable: "auto" | "direct" | "relay";
  /** Nodes through which it joins the network. */
  readonly bootstrap: readonly NodeContact[];
  /** A file of more of them, descriptors or contacts, that may change while the node runs. */
  readonly nodesFile: string | undefined;
  /** What it does for others. All keep records: whoever is closest to one is asked for it. */
  readonly roles: readonly NodeRole[];
  readonly geometry: NetworkGeometry;
  readonly storage: {
    /** Records and bytes of records that it keeps at the most. */
    readonly entriesMax: number;
    readonly bytesMax: number;
    /** Where records are kept instead of on this disk: `redis://…`, several for a cluster. */
    readonly redis: readonly string[];
  };
  /** VoidPhone's module interfaces and peer ports, `HOST:PORT` each. */
  readonly voidphone: {
    readonly api: string | undefined;
    readonly onion: string | undefined;
    readonly rps: string | undefined;
    readonly midterm: string | undefined;
    readonly final: string | undefined;
    /** Peers of foreign networks that are joined, `HOST:PORT` each, if the dialect is served. */
    readonly midtermPeers: readonly string[];
    readonly finalPeers: readonly string[];
  };
  /** Where Prometheus asks, `HOST:PORT` on the loopback. */
  readonly metrics: string | undefined;
}

/**
 * Tuned for a small machine with a disk: cells of 8 KiB carry files well, and five hops leave room
 * for longer routes than the usual three.
 */
export const NODE_DEFAULTS: NodeConfig = Object.freeze({
  directory: undefined,
  listen: Object.freeze([
    { carrier: "udp", host: "127.0.0.1", port: 7_000 },
    { carrier: "tcp", host: "127.0.0.1", port: 7_000 },
  ] as const),
  announce: Object.freeze([]),
  reachable: "auto",
  bootstrap: Object.freeze([]),
  nodesFile: undefined,
  roles: Object.freeze([...NODE_ROLES]),
  geometry: Object.freeze({ cellBytes: 8_192, onionBytes: 2_048, onionHopsMax: 5 }),
  storage: Object.freeze({ entriesMax: 1_000_000, bytesMax: 8 * 2 ** 30, redis: [] }),
  voidphone: Object.freeze({
    api: undefined,
    onion: undefined,
    rps: undefined,
    midterm: undefined,
    final: undefined,
    midtermPeers: [],
    finalPeers: [],
  }),
  metrics: undefined,
});

const KEEPS_RECORDS = 'every node keeps records: name "storage" too';

const isKeeper = (roles: readonly NodeRole[]): boolean => roles.includes("storage");

/**
 * Refuses roles of a node that would keep no records: it would keep them all the same.
 *
 * @throws CulvertError `CULVERT_USAGE`
 */
function requireStorage({ roles }: Pick<NodeConfig, "roles">): void {
  if (!isKeeper(roles)) throw new CulvertError("CULVERT_USAGE", `roles: ${KEEPS_RECORDS}`);
}

/** What of a configuration a program has to give, whatever is in it. */
const LISTS = ["listen", "announce", "bootstrap", "roles"] as const;
const PARTS = ["geometry", "storage", "voidphone"] as const;

/**
 * Refuses a configuration that is none before anything is made by it. What a file says was looked
 * at when it was read; a program may leave out, or misspell, what nothing is then bounded by.
 *
 * @throws TypeError for a part that is not there
 * @throws RangeError for sizes that bound nothing
 * @throws CulvertError `CULVERT_USAGE` for roles without `storage`
 */
export function requireConfig(config: Omit<NodeConfig, "bootstrap">): void {
  requireObject("config", config);
  const parts: Readonly<Record<string, unknown>> = { ...config };
  for (const name of LISTS) requireArray(name, parts[name]);
  for (const name of PARTS) requireObject(name, parts[name]);
  const { storage, geometry } = config;
  const { entriesMax, bytesMax } = storage;
  const { cellBytes, onionBytes, onionHopsMax } = geometry;
  const sizes = { entriesMax, bytesMax, cellBytes, onionBytes, onionHopsMax };
  for (const [name, size] of Object.entries(sizes)) requirePositive(name, size);
  requireStorage(config);
}

const count = (min: number, max: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
const list = <T extends v.GenericSchema>(item: T, max: number) =>
  v.pipe(v.array(item), v.maxLength(max));
const text = v.pipe(v.string(), v.minLength(1), v.maxLength(4_096));
/** A text that `parse` makes something of, or says why not. */
const parsedBy = <T>(parse: (text: string) => T) =>
  v.pipe(
    text,
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value);
      } catch (error) {
        addIssue({ message: error instanceof Error ? error.message : "is not understood" });
        return NEVER;
      }
    }),
  );
const address = parsedBy(parseNodeAddress);

/** What a configuration file may say; everything may be left out. */
const FILE = v.strictObject({
  directory: v.optional(text),
  listen: v.optional(list(parsedBy(parseListenAddress), 2)),
  announce: v.optional(list(address, 8)),
  reachable: v.optional(v.picklist(["auto", "direct", "relay"])),
  bootstrap: v.optional(list(parsedBy(parseNodeContact), 64)),
  "nodes-file": v.optional(text),
  roles: v.optional(
    v.pipe(
      list(v.picklist(NODE_ROLES), NODE_ROLES.length),
      v.check((roles) => isKeeper(roles), KEEPS_RECORDS),
    ),
  ),
  network: v.optional(
    v.strictObject({
      "cell-bytes": v.optional(count(256, OPERATION_PAYLOAD_BYTES_MAX)),
      "onion-bytes": v.optional(count(512, 65_535)),
      "onion-hops-max": v.optional(count(ROUTE_DEFAULTS.relays, 8)),
    }),
  ),
  storage: v.optional(
    v.strictObject({
      entries: v.optional(count(1, 100_000_000)),
      bytes: v.optional(count(65_536, 2 ** 50)),
      redis: v.optional(list(text, 32)),
    }),
  ),
  voidphone: v.optional(
    v.strictObject({
      api: v.optional(text),
      onion: v.optional(text),
      rps: v.optional(text),
      midterm: v.optional(text),
      final: v.optional(text),
      "midterm-peers": v.optional(list(text, 64)),
      "final-peers": v.optional(list(text, 64)),
    }),
  ),
  metrics: v.optional(text),
});

/** The longest configuration that is looked at. */
const CONFIG_CHARS_MAX = 65_536;

/** What tells the configuration file of VoidPhone's modules from one of ours. */
const OF_VOIDPHONE = /^[ \t]*(\[(dht|onion|rps)\][ \t]*$|hostkey[ \t]*=)/im;

/**
 * Reads the configuration of a node, in TOML or as the INI of VoidPhone's modules; what it does not
 * say is as in {@link NODE_DEFAULTS}.
 *
 * @throws CulvertError `CULVERT_USAGE` with the line, or the key, and what is wrong with it
 */
export function parseNodeConfig(text: string): NodeConfig {
  if (typeof text !== "string") throw wrong("the configuration is no text");
  if (OF_VOIDPHONE.test(text)) return ofVoidphone(readVoidphoneConfig(text));
  return ofToml(text);
}

/** The modules' own ports; foreign peers are met in the dialect that the shipped ones speak. */
function ofVoidphone({ dht, onion, rps }: VoidphoneConfig): NodeConfig {
  const final = dht?.p2p && formatEndpoint({ kind: "tcp", ...dht.p2p });
  const endpoints = { api: dht?.api, onion: onion?.api, rps: rps?.api, final };
  return { ...NODE_DEFAULTS, voidphone: { ...NODE_DEFAULTS.voidphone, ...endpoints } };
}

function ofToml(toml: string): NodeConfig {
  if (toml.length > CONFIG_CHARS_MAX) throw wrong("the configuration is too long");
  const file = checked(parsed(toml));
  const { network = {}, storage = {}, voidphone = {} } = file;
  const { geometry } = NODE_DEFAULTS;
  return {
    directory: file.directory,
    listen: file.listen ?? NODE_DEFAULTS.listen,
    announce: file.announce ?? [],
    reachable: file.reachable ?? NODE_DEFAULTS.reachable,
    bootstrap: file.bootstrap ?? [],
    nodesFile: file["nodes-file"],
    roles: file.roles ?? NODE_DEFAULTS.roles,
    geometry: {
      cellBytes: network["cell-bytes"] ?? geometry.cellBytes,
      onionBytes: network["onion-bytes"] ?? geometry.onionBytes,
      onionHopsMax: network["onion-hops-max"] ?? geometry.onionHopsMax,
    },
    storage: {
      entriesMax: storage.entries ?? NODE_DEFAULTS.storage.entriesMax,
      bytesMax: storage.bytes ?? NODE_DEFAULTS.storage.bytesMax,
      redis: storage.redis ?? [],
    },
    voidphone: {
      api: voidphone.api,
      onion: voidphone.onion,
      rps: voidphone.rps,
      midterm: voidphone.midterm,
      final: voidphone.final,
      midtermPeers: voidphone["midterm-peers"] ?? [],
      finalPeers: voidphone["final-peers"] ?? [],
    },
    metrics: file.metrics,
  };
}

/** The file may have a password: what is wrong is told without what is written there. */
function parsed(toml: string): unknown {
  try {
    return parseToml(toml);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [first = ""] = error.message.split("\n");
    throw wrong(`line ${error.line}: ${first.replace(/^Invalid TOML document: /, "")}`);
  }
}

function checked(document: unknown): v.InferOutput<typeof FILE> {
  try {
    return v.parse(FILE, document);
  } catch (error) {
    if (!(error instanceof v.ValiError)) throw error;
    const [issue] = error.issues;
    const key = issue === undefined ? undefined : v.getDotPath(issue);
    if (issue?.expected === "never") throw wrong(`there is no key "${key}"`);
    const why = issue?.message.replace(/ but received ".*/s, "") ?? "is not understood";
    throw wrong(`${key ?? "the file"}: ${why}`);
  }
}

function wrong(message: string): CulvertError {
  return new CulvertError("CULVERT_USAGE", `in the configuration: ${message}`);
}
