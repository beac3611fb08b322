import { type ErrorCode, isCulvertError } from "../base/index.ts";
import type { NodeContact } from "../identity/index.ts";
import { openClient } from "../node/index.ts";
import { logTo } from "./commands/node.ts";
import type { OpenMap } from "./connection.ts";
import type { Context } from "./context.ts";
import { CommandError } from "./failure.ts";
import { makeFolder } from "./make-folder.ts";

/** What to do about a network; the table of failures speaks of Maps. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  CULVERT_UNREACHABLE: 'check --nodes (or CULVERT_NODES); "culvert testnet" starts a network',
  CULVERT_GEOMETRY_CHANGED: "name nodes of one network only",
};
const TOO_FEW = "start more nodes, or add --via direct if the network is your own";

/**
 * Becomes a client of the network that the nodes lead into.
 *
 * @throws CulvertError as `openClient`, with what to do about it
 */
export async function openNetwork(
  context: Context,
  options: { readonly nodes: readonly NodeContact[]; readonly via: "onion" | "direct" },
): Promise<OpenMap> {
  const { paths, stop } = context;
  await makeFolder(paths.client, 0o700);
  try {
    const client = await openClient({
      bootstrap: options.nodes,
      via: options.via,
      directory: paths.client,
      log: logTo(context, false),
      signal: stop,
    });
    return { transport: client.transport(), close: () => client.close() };
  } catch (error) {
    throw withHint(error);
  }
}

function withHint(error: unknown): unknown {
  if (!isCulvertError(error)) return error;
  const { code, message, detail = {} } = error;
  const { relays } = detail;
  const hint = relays === undefined ? HINTS[code] : TOO_FEW;
  return hint === undefined ? error : new CommandError(code, message, hint, error);
}
