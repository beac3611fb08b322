import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CulvertError, untilAborted } from "../../base/index.ts";
import { OPERATION_PAYLOAD_BYTES_MAX } from "../../onion/index.ts";
import type { RunCommand } from "../arguments/command-spec.ts";
import type { Context } from "../context.ts";
import { type NetworkNode, startNetwork } from "../demo/nodes.ts";
import { Stage } from "../demo/stage.ts";
import { CommandError } from "../failure.ts";
import { formatCount } from "../humanize.ts";

const NODES_DEFAULT = 8;
const NODES_MAX = 64;

/** `culvert testnet`: a network of node processes on this machine, until it is told to stop. */
export const testnet: RunCommand = async (context, _operands, options) => {
  const { output, stop } = context;
  const count = options.count("count") ?? NODES_DEFAULT;
  if (count < 1 || count > NODES_MAX) {
    throw new CulvertError("CULVERT_USAGE", `--count takes 1 to ${NODES_MAX}`);
  }
  const cell = options.cellBytes("cell", OPERATION_PAYLOAD_BYTES_MAX)?.toString();
  const folder = await mkdtemp(join(tmpdir(), "culvert-testnet-"));
  const stage = new Stage(context, folder);
  try {
    const network = await startNetwork(stage, { count, folder, cell });
    const nodes = network.map(({ contact }) => contact);
    const usage = `export CULVERT_NODES=${nodes[0]}`;
    const words = `${formatCount(count, "node")} up; in other terminals:\n\n  ${usage}\n`;
    output.tell("ready", { nodes }, words);
    await Promise.race([untilAborted(stop), watch(context, network)]);
  } catch (error) {
    // Ctrl-C ends the nodes too, and they may be first.
    stop.throwIfAborted();
    throw error;
  } finally {
    await stage.clear();
    await rm(folder, { recursive: true, force: true });
  }
  stop.throwIfAborted();
};

/** Tells of each node that ends before the network is to. */
async function watch(
  { output, stop }: Pick<Context, "output" | "stop">,
  network: readonly NetworkNode[],
): Promise<never> {
  const ends = network.map(async ({ name, contact, child }) => {
    const how = await child.endsHow();
    if (!stop.aborted) output.warn("CULVERT_CLOSED", `${name} ${how}; it was ${contact}`);
  });
  await Promise.all(ends);
  stop.throwIfAborted();
  const hint = "culvert testnet begins another one";
  throw new CommandError("CULVERT_CLOSED", "no node of this network is left", hint);
}
