import { resolve } from "node:path";
import { CulvertError, untilAborted } from "../../base/index.ts";
import { collectEarly } from "../../io/collector.ts";
import {
  type MapServerOptions,
  PAYLOAD_BYTES_MAX,
  startMapServer,
} from "../../mapservice/index.ts";
import type { CommandOptions } from "../arguments/command-options.ts";
import type { RunCommand } from "../arguments/command-spec.ts";
import type { Context } from "../context.ts";
import { withListenHint, withStoreHint } from "../failure.ts";
import { logTo } from "../terminal/log-to.ts";

const LISTEN_DEFAULT = "127.0.0.1:7000";
const LISTEN_ELSEWHERE =
  "is another process there already? --listen, or --unix, takes another place";

/**
 * Every cell of a Map has one size. Larger ones carry files faster, since a signature costs the
 * same for any; smaller ones waste less on short messages.
 */
const CELL_BYTES_DEFAULT = 8192;

/** `culvert map`: the place that streams pass through, until it is told to stop. */
export const map: RunCommand = async (context, _operands, options) => {
  const { output, stop } = context;
  const serverOptions = serverOptionsOf(context, options);
  collectEarly();
  const server = await startMapServer(serverOptions).catch((error: unknown) => {
    throw withListenHint(withStoreHint(error), LISTEN_ELSEWHERE);
  });
  try {
    const { endpoints } = server;
    const { directory = null, payloadSize } = serverOptions;
    const place = directory === null ? "in memory" : `in ${directory}`;
    const facts = { endpoints: [...endpoints], directory, cellBytes: payloadSize };
    const words = `map on ${endpoints.join(" and ")}, cells of ${payloadSize} bytes, ${place}`;
    output.tell("listening", facts, words);
    await untilAborted(stop);
    output.tell("stopping", {}, "stopping: answering what was taken");
  } finally {
    await server.close();
  }
  const { putsStored, putsKnown, getsFound, getsNotFound, store } = server.statistics();
  const [puts, gets] = [putsStored + putsKnown, getsFound + getsNotFound];
  output.tell("stopped", { puts, gets, records: store.entries });
  stop.throwIfAborted();
};

function serverOptionsOf(context: Context, options: CommandOptions): MapServerOptions {
  const unix = options.text("unix");
  const tcp = options.text("listen") ?? (unix === undefined ? LISTEN_DEFAULT : undefined);
  const isInMemory = options.flag("memory");
  const folder = options.text("store");
  if (isInMemory && folder !== undefined) {
    throw new CulvertError("CULVERT_USAGE", "--memory and --store exclude each other");
  }
  const directory = (): string => (folder === undefined ? context.paths.mapStore : resolve(folder));
  return {
    listen: [
      ...(tcp === undefined ? [] : [tcp]),
      ...(unix === undefined ? [] : [`unix:${resolve(unix)}`]),
    ],
    payloadSize: options.cellBytes("cell", PAYLOAD_BYTES_MAX) ?? CELL_BYTES_DEFAULT,
    ...(isInMemory ? {} : { directory: directory() }),
    faults: { lose: options.share("lose") ?? 0, seed: options.count("seed") ?? 1 },
    log: logTo(context, options.flag("verbose")),
  };
}
