import { type Clock, draw, type Log, onAbort, type Random } from "../../base/index.ts";
import { Contact } from "../../dht/index.ts";
import type { NodeAddress, NodeContact } from "../../identity/index.ts";
import type { Closers } from "../closers.ts";
import type { NodeConfig } from "../node-config.ts";
import type { Overlay } from "../overlay.ts";
import { rememberedPeers } from "./kept-peers.ts";
import type { StaticDirectory } from "./static-directory.ts";

/**
 * The pause before the next attempt to join doubles from the first of these, to one of the others:
 * while it is alone, and once somebody has answered.
 */
const REJOIN_MS = { first: 1_000, alone: 60_000, joined: 3_600_000 } as const;

/** What joining needs of a node. */
interface Joining {
  readonly config: Pick<NodeConfig, "bootstrap" | "directory">;
  /** The file of nodes, where there is one. */
  readonly nodes: Pick<StaticDirectory, "contacts" | "discover"> | undefined;
  readonly overlay: Pick<Overlay, "join" | "hasMet"> & {
    readonly dht: { readonly contacts: readonly unknown[] };
  };
  readonly closers: Closers;
  readonly machine: { readonly clock: Clock; readonly random: Random };
  readonly log: Log;
}

/** Descriptors of a file of nodes that are used to join. */
const LISTED_MAX = 64;
/** Nodes that are dialled at one more attempt, once somebody has answered. */
const DIALLED_MAX = 8;

/**
 * Joins by the nodes of the configuration, of its file and of the last run. Resolves to how many
 * nodes are known then; to 0 when none answered.
 *
 * Those of the configuration and its file that have not answered are tried again until the node is
 * closed, whoever else has: that one may lie, and tell of nobody but its own.
 */
export async function joinNetwork(joining: Joining): Promise<number> {
  const { overlay, closers, log } = joining;
  const closing = new AbortController();
  closers.add(() => closing.abort());
  const remembered = await rememberedPeers(joining);
  let count = 0;
  try {
    const { contacts, known } = await listed(joining);
    count = await overlay.join(contacts, [...known, ...remembered]);
    if (contacts.length + known.length === 0) return count;
  } catch (error) {
    if (closing.signal.aborted) return 0;
    log("warn", "not-joined", { message: String(error) });
  }
  void tryAgain(joining, remembered, closing.signal);
  return count;
}

/** Has those of the nodes that a client was told of, and that have not answered, asked again. */
export function meetOthers(
  bootstrap: readonly NodeContact[],
  parts: Pick<Joining, "overlay" | "closers" | "machine">,
): void {
  const closing = new AbortController();
  parts.closers.add(() => closing.abort());
  const config = { bootstrap, directory: undefined };
  void tryAgain({ ...parts, config, nodes: undefined }, [], closing.signal);
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
  joining: Omit<Joining, "log">,
  remembered: readonly Contact[],
  closing: AbortSignal,
): Promise<void> {
  const { overlay, machine } = joining;
  const { clock, random } = machine;
  for (let pauseMs: number = REJOIN_MS.first; ; pauseMs *= 2) {
    const isAlone = overlay.dht.contacts.length === 0;
    pauseMs = Math.min(pauseMs, isAlone ? REJOIN_MS.alone : REJOIN_MS.joined);
    await pauseUnless(closing, clock, pauseMs);
    if (closing.aborted) return;
    try {
      const { contacts, known } = await listed(joining);
      const missed = contacts.filter(({ id }) => !overlay.hasMet(id));
      // Others may have come, or been found by what was remembered.
      const isAlone = overlay.dht.contacts.length === 0;
      if (!isAlone && missed.length === 0) return;
      if (isAlone) await overlay.join(contacts, [...known, ...remembered]);
      else await overlay.join(draw(missed, DIALLED_MAX, random));
    } catch {
      // Without them still: the next attempt comes after a longer pause.
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
