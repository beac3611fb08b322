import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CulvertError, untilAborted } from "../../base/index.ts";
import { parseListenAddress, parseNodeContact } from "../../identity/index.ts";
import { collectEarly } from "../../io/collector.ts";
import {
  NODE_DEFAULTS,
  type NodeConfig,
  parseNodeConfig,
  type RunningNode,
  startNode,
} from "../../node/index.ts";
import { OPERATION_PAYLOAD_BYTES_MAX } from "../../onion/index.ts";
import type { CommandOptions } from "../arguments/command-options.ts";
import type { RunCommand } from "../arguments/command-spec.ts";
import type { Context } from "../context.ts";
import { withListenHint, withStoreHint } from "../failure.ts";
import { formatCount } from "../humanize.ts";
import { makePrivateFolder } from "../private-folder.ts";
import { logTo } from "../terminal/log-to.ts";

const STORE_HINT = "make the folder writable, or choose another one with --store";
const REDIS_HINT = "does the Redis server of the configuration run? is the port to listen at free?";

/** `culvert node`: a storage and relay node, until it is told to stop. */
export const node: RunCommand = async (context, _operands, options) => {
  const { output, stop } = context;
  const config = await configOf(context, options);
  if (config.directory !== undefined) await makePrivateFolder(config.directory, STORE_HINT);
  const log = logTo(context, options.flag("verbose"));
  collectEarly();
  const running = await startNode(config, { log, signal: stop }).catch((error: unknown) => {
    stop.throwIfAborted();
    const hint = config.storage.redis.length > 0 ? REDIS_HINT : undefined;
    throw withListenHint(withStoreHint(error), hint);
  });
  try {
    const contacts = [...running.contacts];
    const place = config.directory === undefined ? "in memory" : `in ${config.directory}`;
    output.tell(
      "listening",
      { id: running.name, nodes: contacts, directory: config.directory ?? null },
      `node ${running.name.slice(0, 12)}, ${place}\nothers use --nodes ${contacts.join(",")}`,
    );
    running.onMove(() => tellPlace(context, running));
    void running.joined.then((count) => {
      if (stop.aborted) return;
      const known = `${formatCount(count, "other node")} known so far`;
      const words = count > 0 ? `joined a network, ${known}` : "alone so far";
      output.tell("joined", { nodes: count }, words);
    });
    await untilAborted(stop);
    output.tell("stopping", {}, "stopping: answering what was taken");
  } finally {
    await running.close();
  }
  output.tell("stopped", running.summary());
  stop.throwIfAborted();
};

/** Where others reach the node now. */
function tellPlace({ output }: Context, { contacts, summary }: RunningNode): void {
  const { relays = 0 } = summary();
  const words =
    contacts.length > 0
      ? `others use --nodes ${contacts.join(",")}`
      : `only relays lead here (${relays}): with forwarded ports it would be faster`;
  output.tell("moved", { nodes: [...contacts], relays }, words);
}

async function configOf(context: Context, options: CommandOptions): Promise<NodeConfig> {
  const file = options.text("config");
  const config = file === undefined ? NODE_DEFAULTS : parseNodeConfig(await readConfig(file));
  const listen = options.text("listen")?.split(",").map(parseListenAddress);
  const bootstrap = options.text("join")?.split(",").map(parseNodeContact);
  const metrics = options.text("metrics");
  const cell = options.cellBytes("cell", OPERATION_PAYLOAD_BYTES_MAX);
  return {
    ...config,
    directory: directoryOf(context, options, config),
    ...(listen && { listen }),
    ...(bootstrap && { bootstrap }),
    ...(metrics && { metrics }),
    ...(cell && { geometry: { ...config.geometry, cellBytes: cell } }),
  };
}

function directoryOf(
  { paths }: Context,
  options: CommandOptions,
  config: NodeConfig,
): string | undefined {
  const folder = options.text("store") ?? config.directory;
  if (!options.flag("memory")) return folder === undefined ? paths.node : resolve(folder);
  if (options.text("store") === undefined) return undefined;
  throw new CulvertError("CULVERT_USAGE", "--memory and --store exclude each other");
}

async function readConfig(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new CulvertError("CULVERT_FILE", `cannot read ${path}`, { cause });
  }
}
