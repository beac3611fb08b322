import { concatBytes, type Log, toHex } from "../../base/index.ts";
import { Contact, restoreContacts, saveContacts } from "../../dht/index.ts";
import {
  NODE_ID_BYTES,
  type NodeDescriptor,
  type NodeId,
  nodeIdText,
} from "../../identity/index.ts";
import { readIfThere, readState, writeDurably } from "../../io/durable-file.ts";
import { systemRandom } from "../../io/random.ts";
import type { AskGuard } from "../../onion/index.ts";

/** Guards that are read from a file at the most. */
const GUARDS_MAX = 16;

const GUARDS_FILE = "guards";

/** Where they were last: whoever is asked for that learns who has them. */
const PLACES_FILE = "guard-places";

/** What this end knows of where nodes are. */
export interface NodePlaces {
  readonly directory: { find(id: NodeId): NodeDescriptor | undefined };
  readonly links: { hint(id: NodeId, where: Pick<Contact, "addresses" | "relays">): void };
  readonly askItself: AskGuard;
}

/** The guards of somebody who goes through circuits, from one run to the next. */
export interface KeptGuards {
  /** Those of the last run. */
  readonly guards: readonly NodeId[];
  readonly onGuards: (guards: readonly NodeId[]) => void;
  readonly askGuard: AskGuard;
  /** Resolves once those that were told last are written. */
  written(): Promise<void>;
}

/**
 * Keeps guards in a folder, and where they are; without one they are those of this run alone.
 *
 * @throws CulvertError `CULVERT_FILE` when those of an earlier run cannot be read
 */
export async function keptGuards(
  directory: string | undefined,
  log: Log,
  places: NodePlaces,
): Promise<KeptGuards> {
  const ask: AskGuard = (id, how) => places.askItself(id, how);
  const written = (): Promise<void> => Promise.resolve();
  if (directory === undefined) return { guards: [], onGuards: () => {}, askGuard: ask, written };
  const path = `${directory}/${GUARDS_FILE}`;
  const guards = await readGuards(path);
  const kept = new GuardPlaces(`${directory}/${PLACES_FILE}`, places, log);
  await kept.read(guards);
  const write = guardsWriter(path, log);
  let writing = Promise.resolve();
  return {
    guards,
    onGuards: (now) => {
      writing = write(now);
      kept.keep(now);
    },
    askGuard: async (id, how) => {
      const descriptor = await ask(id, how);
      if (descriptor !== undefined) kept.seen(descriptor);
      return descriptor;
    },
    written: async () => {
      await Promise.all([writing, kept.written]);
    },
  };
}

/** Where guards are, in a file. What it says is not believed: whoever is dialled proves his id. */
class GuardPlaces {
  readonly #places: NodePlaces;
  readonly #path: string;
  readonly #log: Log;
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #known = new Map<string, Contact>();
  #guards: readonly NodeId[] = [];
  /** Resolves once what was seen last is written. */
  written: Promise<void> = Promise.resolve();

  constructor(path: string, places: NodePlaces, log: Log) {
    this.#places = places;
    this.#path = path;
    this.#log = log;
    this.#write = writerOf(path, log);
  }

  /** Tells where they were in an earlier run; they are looked up where that cannot be read. */
  async read(guards: readonly NodeId[]): Promise<void> {
    this.#guards = guards;
    const names = new Set(guards.map(nodeIdText));
    try {
      const saved = await readIfThere(this.#path);
      for (const contact of saved === undefined ? [] : restoreContacts(new Uint8Array(saved))) {
        if (!names.has(nodeIdText(contact.id))) continue;
        this.#known.set(nodeIdText(contact.id), contact);
        this.#places.links.hint(contact.id, contact);
      }
    } catch (error) {
      this.#log("warn", "guards-unreadable", { message: String(error) });
    }
  }

  /** Keeps where these are from now on. */
  keep(guards: readonly NodeId[]): void {
    this.#guards = guards;
    for (const id of guards) {
      const descriptor = this.#places.directory.find(id);
      if (descriptor !== undefined) this.#note(descriptor);
    }
    this.#save();
  }

  /** A guard is where this says. */
  seen(descriptor: NodeDescriptor): void {
    if (this.#note(descriptor)) this.#save();
  }

  /** True when that is news. */
  #note(descriptor: NodeDescriptor): boolean {
    const [name, contact] = [nodeIdText(descriptor.id), Contact.ofDescriptor(descriptor)];
    if (this.#known.get(name)?.reach === contact.reach) return false;
    this.#known.set(name, contact);
    return true;
  }

  #save(): void {
    const names = new Set(this.#guards.map(nodeIdText));
    for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name);
    this.written = this.#write(saveContacts([...this.#known.values()]));
  }
}

/**
 * The guards of an earlier run, the first choice first; none where there is no such file.
 *
 * @throws CulvertError `CULVERT_FILE`
 */
export async function readGuards(path: string): Promise<NodeId[]> {
  const bytes = await readState(path);
  if (bytes === undefined || bytes.length % NODE_ID_BYTES !== 0) return [];
  // Whatever a file has twice is one first hop, and would pass for two.
  const guards = new Map<string, NodeId>();
  for (let at = 0; at < bytes.length && guards.size < GUARDS_MAX; at += NODE_ID_BYTES) {
    const id = new Uint8Array(bytes.subarray(at, at + NODE_ID_BYTES));
    guards.set(nodeIdText(id), id);
  }
  return [...guards.values()];
}

/** Writes guards to a file, one time after the other: the last ones that it was told stay. */
export function guardsWriter(path: string, log: Log): (guards: readonly NodeId[]) => Promise<void> {
  const write = writerOf(path, log);
  return (guards) => write(concatBytes(...guards));
}

function writerOf(path: string, log: Log): (bytes: Uint8Array) => Promise<void> {
  // Commands that run at once have one file.
  const draft = `${path}.${toHex(systemRandom.bytes(8))}.new`;
  let writing = Promise.resolve();
  const write = async (bytes: Uint8Array): Promise<void> => {
    try {
      await writeDurably(path, bytes, draft);
    } catch (error) {
      log("warn", "guards-not-kept", { message: String(error) });
    }
  };
  return (bytes) => {
    writing = writing.then(() => write(bytes));
    return writing;
  };
}
