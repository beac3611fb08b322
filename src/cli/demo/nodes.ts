import { join } from "node:path";
import { CulvertError } from "../../base/index.ts";
import type { Child, ChildEvent } from "./child.ts";
import type { Stage } from "./stage.ts";

/** A node process, and how it is reached. */
export interface NetworkNode {
  readonly name: string;
  readonly child: Child;
  readonly contact: string;
}

/** Starts nodes: one, and then the others at once, which join by it. */
export async function startNetwork(
  stage: Stage,
  options: { readonly count: number; readonly folder: string; readonly cell?: string | undefined },
): Promise<NetworkNode[]> {
  const first = await startNode(stage, "node0", options);
  const joining = { ...options, bootstrap: first.contact };
  const others = Array.from({ length: options.count - 1 }, (_, i) =>
    startNode(stage, `node${i + 1}`, joining),
  );
  return [first, ...(await Promise.all(others))];
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
