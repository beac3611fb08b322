import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CulvertError, onAbort } from "../../base/index.ts";
import type { RunCommand } from "../command-spec.ts";
import type { Child, ChildEvent } from "../demo/child.ts";
import { Stage } from "../demo/stage.ts";

const NODES_DEFAULT = 8;
const NODES_MAX = 64;

/** `culvert testnet`: a network of node processes on this machine, until it is told to stop. */
export const testnet: RunCommand = async (context, _operands, options) => {
  const { output, stop } = context;
  const count = options.count("count") ?? NODES_DEFAULT;
  if (count < 1 || count > NODES_MAX) {
    throw new CulvertError("CULVERT_USAGE", `--count takes 1 to ${NODES_MAX}`);
  }
  const folder = await mkdtemp(join(tmpdir(), "culvert-testnet-"));
  const stage = new Stage(context, folder);
  try {
    const cell = options.text("cell");
    const network = await startNetwork(stage, { count, folder, cell });
    const nodes = network.map(({ contact }) => contact);
    const usage = `export CULVERT_NODES=${nodes[0]}`;
    const words = `${count} nodes are up; in other terminals:\n\n  ${usage}\n`;
    output.tell("ready", { nodes }, words);
    await new Promise<void>((done) => onAbort(stop, () => done()));
  } finally {
    await stage.clear();
    await rm(folder, { recursive: true, force: true });
  }
  stop.throwIfAborted();
};

/** A node process, and how it is reached. */
export interface NetworkNode {
  readonly name: string;
  readonly child: Child;
  readonly contact: string;
}

/** Starts nodes, one after the other, each joining by the first. */
export async function startNetwork(
  stage: Stage,
  options: { readonly count: number; readonly folder: string; readonly cell?: string | undefined },
): Promise<NetworkNode[]> {
  const nodes: NetworkNode[] = [];
  for (let i = 0; i < options.count; i++) {
    const bootstrap = nodes[0]?.contact;
    nodes.push(await startNode(stage, `node${i}`, { ...options, bootstrap }));
  }
  return nodes;
}

/** Starts one node; the same name again has the same key and records. */
export async function startNode(
  stage: Stage,
  name: string,
  options: {
    readonly folder: string;
    readonly bootstrap?: string | undefined;
    readonly cell?: string | undefined;
  },
): Promise<NetworkNode> {
  const { folder, bootstrap, cell } = options;
  const child = stage.start(name, [
    "node",
    ...["--listen", "udp://127.0.0.1:0,tcp://127.0.0.1:0", "--store", join(folder, name)],
    ...(bootstrap === undefined ? [] : ["--join", bootstrap]),
    ...(cell === undefined ? [] : ["--cell", cell]),
  ]);
  const listening = await child.hears(({ event }) => event === "listening");
  return { name, child, contact: contactOf(listening) };
}

function contactOf(event: ChildEvent | undefined): string {
  const { nodes } = event ?? { nodes: [] };
  const [contact]: unknown[] = Array.isArray(nodes) ? nodes : [];
  if (typeof contact === "string") return contact;
  throw new CulvertError("CULVERT_INTERNAL", "a node did not say where it listens");
}
