import { type Cancel, type Clock, type Log, onAbort } from "../../base/index.ts";
import { Contact, restoreContacts } from "../../dht/index.ts";
import type { NodeAddress } from "../../identity/index.ts";
import { readIfThere, writeDurably } from "../../io/durable-file.ts";
import type { Closers } from "../closers.ts";
import type { NodeConfig } from "../node-config.ts";
import type { Overlay } from "../overlay.ts";
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
  readonly overlay: Pick<Overlay, "join"> & {
    readonly dht: { readonly contacts: readonly unknown[] };
  };
  readonly closers: Closers;
  readonly machine: { readonly clock: Clock };
  readonly log: Log;
}

/** The table is written so often, for a start without bootstrap nodes. */
const SAVE_MS = 60_000;

/** Descriptors of a file of nodes that are used to join. */
const LISTED_MAX = 64;

/**
 * Joins by the nodes of the configuration, of its file and of the last run. Resolves to how many
 * nodes are known then; to 0 when none answered, and goes on trying until the node is closed.
 */
export async function joinNetwork(joining: Joining): Promise<number> {
  const { overlay, closers, log } = joining;
  const closing = new AbortController();
  closers.add(() => closing.abort());
  const remembered = await rememberedNodes(joining);
  try {
    const { contacts, known } = await listed(joining);
    const count = await overlay.join(contacts, [...known, ...remembered]);
    // Those of the last run may be gone for good: the others are asked as well.
    if (count > 0 || contacts.length + known.length === 0) return count;
  } catch (error) {
    if (closing.signal.aborted) return 0;
    log("warn", "not-joined", { message: String(error) });
  }
  void tryAgain(joining, remembered, closing.signal);
  return 0;
}

/** Where the nodes are by which it joins, those of the last run aside. */
export async function addressesToJoin(
  joining: Pick<Joining, "config" | "nodes">,
): Promise<readonly NodeAddress[]> {
  const { contacts, known } = await listed(joining);
  return [...contacts.map(({ address }) => address), ...known.flatMap((one) => one.addresses)];
}

/** Those of the configuration and of its file, as that is now. */
async function listed({ config, nodes }: Pick<Joining, "config" | "nodes">) {
  const contacts = [...config.bootstrap, ...((await nodes?.contacts()) ?? [])];
  const descriptors = (await nodes?.discover(LISTED_MAX)) ?? [];
  return { contacts, known: descriptors.map((one) => Contact.ofDescriptor(one)) };
}

/** @param remembered those of the last run, which stay a way back beside what is listed by then */
async function tryAgain(
  joining: Joining,
  remembered: readonly Contact[],
  closing: AbortSignal,
): Promise<void> {
  const { overlay, machine } = joining;
  for (let pauseMs: number = REJOIN_MS.first; ; pauseMs = Math.min(2 * pauseMs, REJOIN_MS.last)) {
    await pauseUnless(closing, machine.clock, pauseMs);
    if (closing.aborted) return;
    try {
      const { contacts, known } = await listed(joining);
      // Others may have come, or been found by what was remembered: nobody has to be dialled then.
      const isAlone = overlay.dht.contacts.length === 0;
      const count = await overlay.join(isAlone ? contacts : [], [...known, ...remembered]);
      if (count > 0) return;
    } catch {
      // Alone still: the next attempt comes after a longer pause.
    }
  }
}

function pauseUnless(closing: AbortSignal, clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      forget();
      resolve();
    };
    const cancel = clock.schedule(clock.now() + ms, over, { background: true });
    const forget = onAbort(closing, () => {
      cancel();
      resolve();
    });
  });
}

/**
 * Writes the table from time to time, and when the result is called: a last time. One that has
 * nobody is not written: those of the last run may be back when the network is.
 */
export function keepPeers(
  path: string,
  parts: {
    readonly dht: { readonly contacts: readonly unknown[]; save(): Uint8Array };
    readonly clock: Clock;
    readonly log: Log;
  },
): () => Promise<void> {
  const { dht, clock, log } = parts;
  let cancel: Cancel = () => {};
  let saving = Promise.resolve();
  let isOver = false;
  const write = async (): Promise<void> => {
    if (dht.contacts.length === 0) return;
    try {
      await writeDurably(path, dht.save());
    } catch (error) {
      log("warn", "peers-not-kept", { message: String(error) });
    }
  };
  const save = (): Promise<void> => {
    saving = saving.then(write);
    return saving;
  };
  const later = (): void => {
    if (isOver) return;
    const at = clock.now() + SAVE_MS;
    cancel = clock.schedule(at, () => void save().then(later), { background: true });
  };
  later();
  return async () => {
    isOver = true;
    cancel();
    await save();
  };
}

/** Those of the last run; none when what was written of them cannot be read: others know them. */
async function rememberedNodes({ config, log }: Joining): Promise<readonly Contact[]> {
  if (config.directory === undefined) return [];
  try {
    const saved = await readIfThere(`${config.directory}/${PEERS_FILE}`);
    return saved === undefined ? [] : restoreContacts(new Uint8Array(saved));
  } catch (error) {
    log("warn", "peers-unreadable", { message: String(error) });
    return [];
  }
}
