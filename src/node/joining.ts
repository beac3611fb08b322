import { type Clock, type Log, onAbort } from "../base/index.ts";
import { Contact, restoreContacts } from "../dht/index.ts";
import { readIfThere } from "../io/durable-file.ts";
import type { Closers } from "./closers.ts";
import type { NodeConfig } from "./node-config.ts";
import type { Overlay } from "./overlay.ts";
import type { StaticDirectory } from "./static-directory.ts";

/** The file of a node's folder that holds the nodes which it knew last. */
export const PEERS_FILE = "peers";

/** The pause before the next attempt to join doubles from the first to the last of these. */
const REJOIN_MS = { first: 1_000, last: 60_000 } as const;

/** What joining needs of a node. */
interface Joining {
  readonly config: Pick<NodeConfig, "bootstrap" | "directory">;
  /** The file of nodes, where there is one. */
  readonly nodes: Pick<StaticDirectory, "contacts" | "discover"> | undefined;
  readonly overlay: Pick<Overlay, "join">;
  readonly closers: Closers;
  readonly machine: { readonly clock: Clock };
  readonly log: Log;
}

/** Descriptors of a file of nodes that are used to join. */
const LISTED_MAX = 64;

/**
 * Joins by the nodes of the configuration, of its file and of the last run. Resolves to how many
 * nodes are known then; to 0 when none answered, and goes on trying until the node is closed.
 */
export async function joinNetwork(joining: Joining): Promise<number> {
  const { config, overlay, closers, log } = joining;
  const closing = new AbortController();
  closers.add(() => closing.abort());
  try {
    const { contacts, known } = await listed(joining);
    return await overlay.join(contacts, [...known, ...(await rememberedNodes(config))]);
  } catch (error) {
    if (closing.signal.aborted) return 0;
    log("warn", "not-joined", { message: String(error) });
    void tryAgain(joining, closing.signal);
    return 0;
  }
}

/** Those of the configuration and of its file, as that is now. */
async function listed({ config, nodes }: Joining) {
  const contacts = [...config.bootstrap, ...((await nodes?.contacts()) ?? [])];
  const descriptors = (await nodes?.discover(LISTED_MAX)) ?? [];
  return { contacts, known: descriptors.map((one) => Contact.ofDescriptor(one)) };
}

async function tryAgain(joining: Joining, closing: AbortSignal): Promise<void> {
  const { overlay, machine } = joining;
  for (let pauseMs: number = REJOIN_MS.first; ; pauseMs = Math.min(2 * pauseMs, REJOIN_MS.last)) {
    await pauseUnless(closing, machine.clock, pauseMs);
    if (closing.aborted) return;
    try {
      const { contacts, known } = await listed(joining);
      await overlay.join(contacts, known);
      return;
    } catch {
      // Alone still: the next attempt comes after a longer pause.
    }
  }
}

function pauseUnless(closing: AbortSignal, clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(clock.now() + ms, resolve, { background: true });
    onAbort(closing, () => {
      cancel();
      resolve();
    });
  });
}

async function rememberedNodes({ directory }: Joining["config"]) {
  if (directory === undefined) return [];
  const saved = await readIfThere(`${directory}/${PEERS_FILE}`);
  return saved === undefined ? [] : restoreContacts(new Uint8Array(saved));
}
