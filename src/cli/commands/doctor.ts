import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NodeContact } from "../../identity/index.ts";
import { examineNetwork, type Finding, type Layer } from "../../node/index.ts";
import type { CommandOptions } from "../command-options.ts";
import type { RunCommand } from "../command-spec.ts";
import { parseNodes } from "../connection.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { printable } from "../humanize.ts";
import { makeFolder } from "../make-folder.ts";

/** What `culvert doctor` tries: the layers of the network, and the disk before them. */
type Examined = Omit<Finding, "layer"> & { readonly layer: Layer | "state" };

/** What to do about a failure of each layer. */
const HINTS: Readonly<Record<Examined["layer"], string>> = {
  state: "make the folder writable, or set XDG_STATE_HOME to one that is",
  udp: "does the system let programs open UDP ports?",
  tcp: "does the system let programs open TCP ports?",
  node: "is the node up, its name right, and does a firewall let this carrier through?",
  clock: "set the clock of this machine",
  geometry: "name nodes of one network only",
  join: "the nodes answer, and their DHT does not: try others, or again in a minute",
  direct: "fewer than three storage nodes, or all of them full or overloaded?",
  circuit: "a circuit takes three nodes that relay, one of them an exit; a network has more",
  onion: "circuits work and their exits do not keep records: is it a network of few exits?",
};

const MARKS = { ok: "ok     ", failed: "FAILED ", skipped: "skipped" } as const;

/** `culvert doctor`: tries each layer in its order and names what fails. */
export const doctor: RunCommand = async (context, _operands, options) => {
  const nodes = nodesOf(context, options);
  const failed: Examined[] = [];
  let reached = 0;
  for await (const finding of examineAll(context, nodes)) {
    tell(context, finding);
    if (finding.outcome === "failed") failed.push(finding);
    if (finding.layer === "node" && finding.outcome === "ok") reached += 1;
  }
  if (nodes.length > 0 && reached === 0) {
    throw new CommandError("CULVERT_UNREACHABLE", "no node is reachable", HINTS.node);
  }
  const [first] = failed;
  if (first !== undefined) {
    const message = `${failed.length} of these failed, first: ${first.what}`;
    throw new CommandError(first.code ?? "CULVERT_INTERNAL", message, HINTS[first.layer]);
  }
  const words = nodes.length > 0 ? "all is well" : "all is well here; name --nodes to go on";
  context.output.tell("healthy", { nodes: reached }, words);
};

function nodesOf({ env }: Context, options: CommandOptions): readonly NodeContact[] {
  const { CULVERT_NODES } = env;
  const text = options.text("nodes") ?? CULVERT_NODES;
  return text === undefined ? [] : parseNodes(text);
}

async function* examineAll(
  context: Context,
  nodes: readonly NodeContact[],
): AsyncGenerator<Examined> {
  yield await examineState(context);
  yield* examineNetwork({ nodes, signal: context.stop });
}

/** Whether what has to survive can be written. */
async function examineState({ paths, clock }: Context): Promise<Examined> {
  const folder = paths.sessions;
  const from = clock.now();
  const about = { layer: "state", what: "write to the state folder" } as const;
  try {
    await makeFolder(folder, 0o700);
    const file = join(folder, `.doctor-${process.pid}`);
    await writeFile(file, "culvert");
    await rm(file);
    return { ...about, outcome: "ok", detail: folder, ms: Math.round(clock.now() - from) };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    const ms = Math.round(clock.now() - from);
    return { ...about, outcome: "failed", detail, code: "CULVERT_FILE", ms };
  }
}

function tell({ output }: Context, finding: Examined): void {
  const { layer, what, outcome, detail, code, ms } = finding;
  const hint = outcome === "failed" ? HINTS[layer] : null;
  // A detail may be a peer's own words.
  const words = `${MARKS[outcome]} ${what}: ${printable(detail)}`;
  const advice = hint === null ? "" : `\n        ${hint}`;
  const fields = { layer, what, outcome, detail, code: code ?? null, hint, ms };
  output.tell("finding", fields, `${words}${advice}`);
}
