import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NodeContact } from "../../identity/index.ts";
import { makeFolder } from "../../io/make-folder.ts";
import { examineNetwork, type Layer } from "../../node/index.ts";
import type { CommandOptions } from "../arguments/command-options.ts";
import type { RunCommand } from "../arguments/command-spec.ts";
import { chooseMap, type MapChoice, namedBy, parseNodes } from "../connection/connection.ts";
import { attempt, examineMap, type Trial } from "../connection/examine-map.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { printable } from "../humanize.ts";

/** What `culvert doctor` tries: the layers of the network, or a Map, and the disk before them. */
type Examined = Trial & { readonly layer: Layer | "state" | "map" };

/** What is named to be examined. */
interface Named {
  readonly nodes: readonly NodeContact[];
  readonly map?: MapChoice;
}

/** What to do about a failure of each layer; of a Map, the error says it. */
const HINTS: Readonly<Record<Exclude<Examined["layer"], "map">, string>> = {
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
  const named = nameOf(context, options);
  const { nodes } = named;
  const failed: Examined[] = [];
  let reached = 0;
  for await (const finding of examineAll(context, named)) {
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
    throw new CommandError(first.code ?? "CULVERT_INTERNAL", message, hintFor(first));
  }
  const isWhole = nodes.length > 0 || named.map !== undefined;
  const words = isWhole ? "all is well" : "all is well here; name --nodes or --map to go on";
  context.output.tell("healthy", { nodes: reached }, words);
};

/** As the other commands take it, but that it may be nothing. */
function nameOf(context: Context, options: CommandOptions): Named {
  const { map, nodes = "" } = namedBy(context, options);
  if (map !== undefined) return { nodes: [], map: chooseMap(map, options) };
  return { nodes: nodes === "" ? [] : parseNodes(nodes) };
}

async function* examineAll(context: Context, { nodes, map }: Named): AsyncGenerator<Examined> {
  yield await examineState(context);
  if (map === undefined) return yield* examineNetwork({ nodes, signal: context.stop });
  for await (const trial of examineMap(context, map)) yield { layer: "map", ...trial };
}

/** Whether what has to survive can be written. */
async function examineState(context: Context): Promise<Examined> {
  const trial = await attempt(context, "write to the state folder", async () => {
    const folder = context.paths.sessions;
    await makeFolder(folder, 0o700);
    const file = join(folder, `.doctor-${process.pid}`);
    await writeFile(file, "culvert");
    await rm(file);
    return folder;
  });
  return { ...trial, layer: "state" };
}

function hintFor({ layer, hint = "" }: Examined): string {
  return layer === "map" ? hint : HINTS[layer];
}

function tell({ output }: Context, finding: Examined): void {
  const { layer, what, outcome, detail, code, ms } = finding;
  const hint = outcome === "failed" ? hintFor(finding) : null;
  // A detail may be a peer's own words.
  const words = `${MARKS[outcome]} ${what}: ${printable(detail)}`;
  const advice = hint === null ? "" : `\n        ${hint}`;
  const fields = { layer, what, outcome, detail, code: code ?? null, hint, ms };
  output.tell("finding", fields, `${words}${advice}`);
}
