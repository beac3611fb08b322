import { resolve } from "node:path";
import { CulvertError } from "../base/index.ts";
import { formatEndpoint, parseEndpoint } from "../io/endpoint.ts";
import { connectMap, MainlineMap, MapClient } from "../mapservice/index.ts";
import type { Transport } from "../transport/index.ts";
import type { CommandOptions } from "./command-options.ts";
import type { Context } from "./context.ts";
import { CommandError } from "./failure.ts";

/** `mainline`, or `mainline:` and nodes of that DHT to begin with. */
const MAINLINE = /^mainline(?::(\S+))?$/;

/**
 * Which Map to use, by `--map` or `CULVERT_MAP`, in the form that a session keeps.
 *
 * @throws CulvertError `CULVERT_USAGE`, before the network is touched
 */
export function requireMap({ env }: Context, options: CommandOptions): string {
  const { CULVERT_MAP } = env;
  const text = options.text("map") ?? CULVERT_MAP;
  if (text === undefined) {
    const hint = 'add --map HOST:PORT or set CULVERT_MAP; "culvert map" starts a Map of your own';
    throw new CommandError("CULVERT_USAGE", "which Map?", hint);
  }
  if (MAINLINE.test(text)) return text;
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) {
    throw new CulvertError("CULVERT_USAGE", `"${text}" is no Map: HOST:PORT, unix:PATH, mainline`);
  }
  if (endpoint.kind === "tcp") return formatEndpoint(endpoint);
  return formatEndpoint({ kind: "unix", path: resolve(endpoint.path) });
}

/**
 * Has `work` done over a connection to a Map, which is closed afterwards.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_BUSY`, `CULVERT_PROTOCOL`
 */
export async function withMap(
  { output, stop }: Context,
  map: string,
  work: (transport: Transport) => Promise<void>,
): Promise<void> {
  const mainline = MAINLINE.exec(map);
  if (mainline !== null) {
    const risk = "the nodes of the Mainline DHT see the IP address of this machine";
    output.tell("warning", { message: risk }, `culvert: warning: ${risk}`);
  }
  const carrier = mainline === null ? await connectMap(map) : await joinMainline(mainline[1]);
  try {
    stop.throwIfAborted();
    await work(new MapClient(carrier));
  } finally {
    await carrier.close();
  }
}

async function joinMainline(nodes: string | undefined): Promise<MainlineMap> {
  return await MainlineMap.join(nodes === undefined ? {} : { bootstrap: nodes.split(",") });
}
