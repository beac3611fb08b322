import {
  type Cancel,
  type Clock,
  draw,
  isCulvertError,
  type Log,
  type Random,
} from "../../base/index.ts";
import { type Contact, restoreContacts, saveContacts } from "../../dht/index.ts";
import { readIfThere, writeDurably } from "../../io/durable-file.ts";
import type { Closers } from "../closers.ts";

/** The file of a node's folder that holds the nodes which it knew last. */
const PEERS_FILE = "peers";

/** The table is written so often, for a start without bootstrap nodes. */
const SAVE_MS = 60_000;

/**
 * Nodes that were in the table and are not any more, which are written behind those that are. After
 * a restart in which liars alone have answered, all others are among these.
 */
const GONE_MAX = 64;
/** Of one allocation: one owner, whose nodes come and go, would have all these places. */
const GONE_PER_ALLOCATION = 2;

/** What keeping them needs of a node. */
interface Keeping {
  /** Of a node without a folder nothing is written. */
  readonly config: { readonly directory: string | undefined };
  readonly overlay: { readonly dht: { readonly contacts: readonly Contact[] } };
  readonly closers: Closers;
  readonly machine: { readonly clock: Clock; readonly random: Random };
  readonly log: Log;
}

/**
 * Writes the table from time to time, and when the node is closed: a last time. One that has nobody
 * is not written: those of the last run may be back when the network is.
 */
export function keepPeers({ config, overlay, closers, machine, log }: Keeping): void {
  const { directory } = config;
  if (directory === undefined) return;
  const path = `${directory}/${PEERS_FILE}`;
  const { clock, random } = machine;
  let cancel: Cancel = () => {};
  let saving = Promise.resolve();
  let isOver = false;
  /** What was written last, by the last run at first. */
  let kept: readonly Contact[] | undefined;
  const write = async (): Promise<void> => {
    const { contacts } = overlay.dht;
    if (contacts.length === 0) return;
    try {
      kept ??= await readWritten(path);
      kept = withGone(kept, contacts, random);
      await writeDurably(path, saveContacts(kept));
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
  closers.add(async () => {
    isOver = true;
    cancel();
    await save();
  });
}

/** Those of the last run; none when what was written of them cannot be read: others know them. */
export async function rememberedPeers({
  config: { directory },
  log,
}: Pick<Keeping, "config" | "log">): Promise<readonly Contact[]> {
  if (directory === undefined) return [];
  try {
    return await readPeers(`${directory}/${PEERS_FILE}`);
  } catch (error) {
    log("warn", "peers-unreadable", { message: String(error) });
    return [];
  }
}

async function readPeers(path: string): Promise<readonly Contact[]> {
  const saved = await readIfThere(path);
  return saved === undefined ? [] : restoreContacts(new Uint8Array(saved));
}

/** What is no table is written over; one that cannot be read just now is not. */
async function readWritten(path: string): Promise<readonly Contact[]> {
  try {
    return await readPeers(path);
  } catch (error) {
    if (!isCulvertError(error, "CULVERT_BAD_STATE")) throw error;
    return [];
  }
}

/**
 * Who is in the table, in no order: a node joins by the first of a list, and ids cost nothing. Then
 * those who are gone, the last to go first.
 */
function withGone(
  kept: readonly Contact[],
  table: readonly Contact[],
  random: Random,
): readonly Contact[] {
  const known = new Set(table.map(({ key }) => key));
  const alike = new Map<number, number>();
  const gone = kept.filter(({ key, isProvable, isLocal, allocation }) => {
    if (known.has(key) || !isProvable) return false;
    if (isLocal || allocation < 0) return true;
    const before = alike.get(allocation) ?? 0;
    alike.set(allocation, before + 1);
    return before < GONE_PER_ALLOCATION;
  });
  return [...draw(table, table.length, random), ...gone.slice(0, GONE_MAX)];
}
