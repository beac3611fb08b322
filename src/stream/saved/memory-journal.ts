import type { Journal, JournalChanges, JournalStore } from "../../base/index.ts";
import { CulvertError } from "../../base/index.ts";

interface Entry {
  head: Uint8Array | undefined;
  readonly frames: Map<string, Uint8Array>;
  holder: Journal | undefined;
}

/**
 * Journals that live as long as the process: for tests, for the simulator, and for streams that
 * need not outlive it. Bytes are copied on the way in and on the way out.
 */
export class MemoryJournalStore implements JournalStore {
  readonly #entries = new Map<string, Entry>();

  async open(streamId: string): Promise<Journal> {
    const entry = this.#entries.get(streamId) ?? newEntry();
    if (entry.holder !== undefined) throw new CulvertError("CULVERT_STATE_IN_USE");
    this.#entries.set(streamId, entry);
    entry.holder = new MemoryJournal(entry);
    return entry.holder;
  }

  /** Takes the journals from whoever holds them, as a crash of the process would. */
  crash(): void {
    for (const entry of this.#entries.values()) entry.holder = undefined;
  }
}

class MemoryJournal implements Journal {
  readonly #entry: Entry;

  constructor(entry: Entry) {
    this.#entry = entry;
  }

  async load(): Promise<Uint8Array | undefined> {
    return this.#held().head?.slice();
  }

  async commit(changes: JournalChanges): Promise<void> {
    const entry = this.#held();
    entry.head = changes.head.slice();
    for (const { name, bytes } of changes.put) entry.frames.set(name, bytes.slice());
    for (const name of changes.remove) entry.frames.delete(name);
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    return this.#held().frames.get(name)?.slice();
  }

  async names(): Promise<string[]> {
    return [...this.#held().frames.keys()];
  }

  async close(): Promise<void> {
    if (this.#entry.holder === this) this.#entry.holder = undefined;
  }

  #held(): Entry {
    if (this.#entry.holder === this) return this.#entry;
    throw new CulvertError("CULVERT_JOURNAL", "this journal is no longer open");
  }
}

function newEntry(): Entry {
  return { head: undefined, frames: new Map(), holder: undefined };
}
