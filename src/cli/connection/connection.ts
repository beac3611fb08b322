import { resolve } from "node:path";
import { CulvertError, isCulvertError } from "../../base/index.ts";
import { type NodeContact, parseNodeContact } from "../../identity/index.ts";
import { formatEndpoint, parseEndpoint } from "../../io/endpoint.ts";
import { connectMap, MainlineMap, MapClient } from "../../mapservice/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { CommandOptions } from "../arguments/command-options.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { shellQuote } from "../humanize.ts";
import { NETWORK, type OpenMap } from "./open-map.ts";

/** A Map that streams can pass through, as the user has named it. */
export interface MapChoice {
  /** How a session remembers it: the same words find the same session again. */
  readonly name: string;
  /** What the other side has to add to its command to use the same one. */
  readonly flags: string;
  /** Connects; the caller closes it. */
  readonly open: (context: Context) => Promise<OpenMap>;
}

/** How long a user is left without a word while a Map, or a network, is looked for. */
const QUIET_MS = 4_000;

const MAINLINE_HINT = "npm install bittorrent-dht beside culvert: with --global, if culvert was";
const NO_MAP_HINT = 'is it the address of a "culvert map"? a node is named by --nodes';

/** Options that mean something on the way through a network only. */
const OF_NETWORKS = { via: "--via", exitCells: "--exit-cells" } as const;

/** `mainline`, or `mainline:` and nodes of that DHT to begin with, which lead to the same one. */
const MAINLINE = /^mainline(?::(\S+))?$/;

/**
 * What names a Map, or nodes of a network: an option, else a variable; nothing if none is set.
 *
 * @throws CulvertError `CULVERT_USAGE`
 */
export function namedBy(
  { env }: Context,
  options: CommandOptions,
): { readonly map?: string; readonly nodes?: string } {
  // As everywhere, a variable that is set to nothing is not set.
  const { CULVERT_MAP = "", CULVERT_NODES = "" } = env;
  const [map, nodes] = [options.text("map"), options.text("nodes")];
  if (map !== undefined && nodes !== undefined) {
    throw new CulvertError("CULVERT_USAGE", "--map and --nodes exclude each other");
  }
  if (map !== undefined) return { map };
  if (nodes !== undefined) return { nodes };
  if (CULVERT_MAP !== "") return { map: CULVERT_MAP };
  return CULVERT_NODES === "" ? {} : { nodes: CULVERT_NODES };
}

/**
 * Which Map to use: one of `--map` or `CULVERT_MAP`, or the network that `--nodes` or
 * `CULVERT_NODES` lead into.
 *
 * @throws CulvertError `CULVERT_USAGE`, before the network is touched
 */
export function requireMap(context: Context, options: CommandOptions): MapChoice {
  const { map, nodes } = namedBy(context, options);
  if (map !== undefined) return chooseMap(map, options);
  if (nodes !== undefined) return chooseNetwork(nodes, options);
  const hint =
    "add --nodes ID@udp://HOST:PORT or --map HOST:PORT, or set CULVERT_NODES or CULVERT_MAP; " +
    '"culvert testnet" and "culvert map" start some';
  throw new CommandError("CULVERT_USAGE", "which network?", hint);
}

/**
 * Has `work` done over a connection to a Map, which is closed afterwards.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_BUSY`, `CULVERT_PROTOCOL`
 * @throws Interrupted when the command was asked to stop
 */
export async function withMap(
  context: Context,
  map: MapChoice,
  work: (transport: Transport) => Promise<void>,
): Promise<void> {
  const { clock, output } = context;
  const quiet = clock.schedule(clock.now() + QUIET_MS, () =>
    output.note("nobody has answered yet; it is tried for a while longer"),
  );
  const open = await map.open(context).catch((error: unknown) => {
    quiet();
    // Whoever is asked to stop has not failed, whatever has come of that.
    context.stop.throwIfAborted();
    throw error;
  });
  quiet();
  try {
    context.stop.throwIfAborted();
    await work(open.transport);
  } finally {
    await open.close();
  }
}

/** The same error, with what to do about a Map that cannot be used. */
export function withMapHint(error: unknown, where: string): unknown {
  if (isCulvertError(error, "CULVERT_UNSUPPORTED")) {
    return new CommandError(error.code, error.message, MAINLINE_HINT, error);
  }
  if (!isCulvertError(error, "CULVERT_PROTOCOL")) return error;
  const message = `what answers at ${where} is no Map of this version: ${error.message}`;
  return new CommandError(error.code, message, NO_MAP_HINT, error);
}

/** The Map of this name, as `--map` takes it. */
export function chooseMap(text: string, options: CommandOptions): MapChoice {
  // Whoever asks to be hidden is not to believe that a Map of its own does that.
  for (const [name, flag] of Object.entries(OF_NETWORKS)) {
    if (options.text(name) === undefined) continue;
    throw new CulvertError("CULVERT_USAGE", `${flag} is about a network, and --map is none`);
  }
  const mainline = MAINLINE.exec(text);
  if (mainline !== null) {
    const open = (context: Context): Promise<OpenMap> => joinMainline(context, mainline[1]);
    return { name: "mainline", flags: `--map ${shellQuote(text)}`, open };
  }
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) {
    const message = `"${text}" is no Map: HOST:PORT, unix:PATH, mainline`;
    if (!text.includes("@")) throw new CulvertError("CULVERT_USAGE", message);
    throw new CommandError("CULVERT_USAGE", message, "is it a node? nodes are named by --nodes");
  }
  const isUnix = endpoint.kind === "unix";
  const name = formatEndpoint(isUnix ? { kind: "unix", path: resolve(endpoint.path) } : endpoint);
  const open = async ({ stop }: Context): Promise<OpenMap> => {
    const connection = await connectMap(name, { signal: stop }).catch((error: unknown) => {
      throw withMapHint(error, name);
    });
    return { transport: new MapClient(connection), close: () => connection.close() };
  };
  return { name, flags: `--map ${shellQuote(name)}`, open };
}

async function joinMainline(context: Context, nodes: string | undefined): Promise<OpenMap> {
  const { output, stop: signal } = context;
  output.note("the nodes of the Mainline DHT see the IP address of this machine");
  const bootstrap = nodes?.split(",") ?? [];
  const map = await MainlineMap.join({ bootstrap, signal }).catch((error: unknown) => {
    throw withMapHint(error, "mainline");
  });
  return { transport: new MapClient(map), close: () => map.close() };
}

/** `--via onion`, which is the default, or `--via direct`: who is asked then sees who asks. */
function viaOf(options: CommandOptions): "onion" | "direct" {
  const via = options.text("via") ?? "onion";
  if (via === "onion" || via === "direct") return via;
  throw new CulvertError("CULVERT_USAGE", "--via takes onion or direct");
}

/** Reads a list of nodes: `ID@udp://HOST:PORT`, separated by commas. */
export function parseNodes(text: string): readonly NodeContact[] {
  return text.split(",").map((word) => parseNodeContact(word.trim()));
}

function chooseNetwork(text: string, options: CommandOptions): MapChoice {
  const nodes = parseNodes(text);
  const via = viaOf(options);
  const exitCells = options.count("exitCells");
  if (exitCells === 0) throw new CulvertError("CULVERT_USAGE", "--exit-cells takes 1 or more");
  const route = via === "direct" ? " --via direct" : "";
  const open = async (context: Context): Promise<OpenMap> => {
    const { openNetwork } = await import("./network.ts");
    return await openNetwork(context, { nodes, via, exitCells });
  };
  return { name: NETWORK, flags: `--nodes ${shellQuote(text)}${route}`, open };
}
