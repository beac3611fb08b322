import { type ErrorCode, isCulvertError } from "../../base/index.ts";
import type { NodeContact } from "../../identity/index.ts";
import { openClient } from "../../node/index.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { makePrivateFolder } from "../private-folder.ts";
import { logTo } from "../terminal/log-to.ts";
import type { OpenMap } from "./open-map.ts";

/** What to do about a network; the table of failures speaks of Maps. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  CULVERT_UNREACHABLE: 'check --nodes (or CULVERT_NODES): "culvert doctor" tries each of them',
  CULVERT_GEOMETRY_CHANGED: "name nodes of one network only",
};
const BUDGET_SPENT =
  "all exits have seen their share of this stream, the rest goes on within the hour; " +
  "more nodes, or a larger --exit-cells, make it faster";
const TOO_SHORT =
  "the nodes need onion-hops-max = 3 or more, all of them the same; " +
  "or add --via direct if the network is your own";
const TOO_FEW = "start more nodes, or add --via direct if the network is your own";

/** How requests travel through a network. */
export interface NetworkWay {
  readonly via: "onion" | "direct";
  /** Cells of a stream that an exit may see in an hour, if the user has said so. */
  readonly exitCells: number | undefined;
}

/**
 * Becomes a client of the network that the nodes lead into.
 *
 * @throws CulvertError as `openClient`, with what to do about it
 */
export async function openNetwork(
  context: Context,
  options: NetworkWay & { readonly nodes: readonly NodeContact[] },
): Promise<OpenMap> {
  const { paths, stop, output } = context;
  const { exitCells } = options;
  await makePrivateFolder(paths.client);
  try {
    const client = await openClient({
      bootstrap: options.nodes,
      via: options.via,
      directory: paths.client,
      log: logTo(context, false),
      keepsSpare: false,
      signal: stop,
      onBudgetSpent: () => output.warn("CULVERT_BUSY", BUDGET_SPENT),
      ...(exitCells !== undefined && { onion: { framesPerExit: exitCells } }),
    });
    return { transport: client.transport(), close: () => client.close() };
  } catch (error) {
    throw withNetworkHint(error);
  }
}

/** The same error, with what to do about a network that cannot be used. */
export function withNetworkHint(error: unknown): unknown {
  if (!isCulvertError(error)) return error;
  const { code, message, detail = {} } = error;
  const { relays, hopsMax, clock } = detail;
  const ofRoute = hopsMax === undefined ? TOO_FEW : TOO_SHORT;
  const ofNetwork = clock === undefined ? HINTS[code] : "set the clock of this machine";
  const hint = relays === undefined ? ofNetwork : ofRoute;
  return hint === undefined ? error : new CommandError(code, message, hint, error);
}
