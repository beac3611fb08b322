import type { NodeContact } from "../identity/index.ts";
import { openClient } from "../node/index.ts";
import { logTo } from "./commands/node.ts";
import type { OpenMap } from "./connection.ts";
import type { Context } from "./context.ts";

/** Becomes a client of the network that the nodes lead into. */
export async function openNetwork(
  context: Context,
  options: { readonly nodes: readonly NodeContact[]; readonly via: "onion" | "direct" },
): Promise<OpenMap> {
  const { paths, stop } = context;
  const client = await openClient({
    bootstrap: options.nodes,
    via: options.via,
    directory: paths.client,
    log: logTo(context, false),
    signal: stop,
  });
  return { transport: client.transport(), close: () => client.close() };
}
