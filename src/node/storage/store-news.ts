import { type Cancel, type Clock, equalBytes, isCulvertError, type Log } from "../../base/index.ts";
import type { Contact } from "../../dht/index.ts";
import { readState, writeDurably } from "../../io/durable-file.ts";
import type { RecordStore } from "../../mapservice/index.ts";

/** The file of a node's folder with the mark of the store that its neighbours have heard of. */
const STORE_TOLD_FILE = "store-told";

/** Who may keep a record with this node is well within these: as many as the DHT stays close to. */
const NEIGHBOURS = 40;
const TOLD_AT_ONCE = 4;
/**
 * Who could not be told, or was not known yet, is told in the next round, after a pause that
 * doubles; no more once a round has found nobody.
 */
const ROUNDS_MAX = 6;
const ROUND_MS = 60_000;
/** How often the mark is looked at: what a store is kept by may lose it while the node runs. */
const LOOK_MS = 60_000;

/** The mark of the store that neighbours have heard of, as a node remembers it. */
export interface KeptMark {
  read(): Promise<Uint8Array | undefined>;
  write(mark: Uint8Array): Promise<void>;
}

/** The same in a file of a node's folder. */
export function markInFolder(directory: string): KeptMark {
  const path = `${directory}/${STORE_TOLD_FILE}`;
  return { read: () => readState(path), write: (mark) => writeDurably(path, mark) };
}

const NO_MARK = new Uint8Array(0);

/** What a store's news are told with. */
export interface StoreNewsComponents {
  /** Looked at for its mark, which it has. */
  readonly store: Pick<RecordStore, "mark">;
  /** Where the last mark is kept that was told; nowhere for a node that has no folder. */
  readonly kept: KeptMark | undefined;
  /** Up to so many of the nodes that are closest to this one. */
  readonly neighbours: (count: number) => readonly Contact[];
  readonly tell: (to: Contact, mark: Uint8Array, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Tells the neighbours of a node that its store was begun anew, before the node was or since: they
 * take it to have all that it was given before, and only somebody new is given that again. A store
 * that they have heard of is not told of, so nothing is said as a rule.
 */
export class StoreNews {
  readonly #components: StoreNewsComponents;
  readonly #told = new Set<string>();
  /** The mark that they are told of, or know. */
  #mark: Uint8Array;
  readonly #closing = new AbortController();
  #cancel: Cancel = () => {};
  #rounds = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(components: StoreNewsComponents) {
    this.#components = components;
    this.#mark = this.#seen;
  }

  /** To be called once this node has joined. */
  start(): void {
    if (!this.#closing.signal.aborted) this.#running = this.#begin();
  }

  /** Tells nobody any more; resolves when nothing is written either. */
  async close(): Promise<void> {
    this.#cancel();
    this.#closing.abort();
    await this.#running;
  }

  get #seen(): Uint8Array {
    return this.#components.store.mark ?? NO_MARK;
  }

  async #begin(): Promise<void> {
    const { kept, log } = this.#components;
    try {
      const last = await kept?.read();
      if (last !== undefined && equalBytes(last, this.#mark)) {
        this.#lookLater();
        return;
      }
    } catch (error) {
      // Once too often costs neighbours some offers that are not taken.
      log("warn", "store-news-unreadable", { message: String(error) });
    }
    await this.#round();
  }

  /** Nothing is to be told: until the store is another one. */
  #lookLater(): void {
    if (this.#closing.signal.aborted) return;
    this.#wakeIn(LOOK_MS, async () => {
      if (equalBytes(this.#seen, this.#mark)) this.#lookLater();
      else await this.#round();
    });
  }

  #wakeIn(ms: number, work: () => Promise<void>): void {
    const { clock } = this.#components;
    const run = (): void => {
      this.#running = work();
    };
    this.#cancel = clock.schedule(clock.now() + ms, run, { background: true });
  }

  async #round(): Promise<void> {
    const { neighbours } = this.#components;
    if (!equalBytes(this.#seen, this.#mark)) {
      this.#mark = this.#seen;
      this.#told.clear();
      this.#rounds = 0;
    }
    const near = neighbours(NEIGHBOURS);
    // While it is alone nobody can be told, and nobody has to be.
    if (near.length > 0) this.#rounds += 1;
    const untold = near.filter(({ key }) => !this.#told.has(key));
    // The first one comes when this node has just joined, and may not know all of them.
    const isLast = this.#rounds > 1 && untold.length === 0;
    const next = async (): Promise<void> => {
      for (let to = untold.pop(); to !== undefined; to = untold.pop()) await this.#tell(to);
    };
    await Promise.all(Array.from({ length: TOLD_AT_ONCE }, next));
    if (this.#closing.signal.aborted) return;
    if (isLast || this.#rounds >= ROUNDS_MAX) {
      await this.#keep();
      this.#lookLater();
      return;
    }
    this.#wakeIn(ROUND_MS * 2 ** Math.max(this.#rounds - 1, 0), () => this.#round());
  }

  async #tell(to: Contact): Promise<void> {
    const { tell, log } = this.#components;
    const mark = this.#mark;
    const { signal } = this.#closing;
    if (signal.aborted) return;
    try {
      await tell(to, mark, signal);
      this.#told.add(to.key);
    } catch (error) {
      // An older node does not understand, and will not.
      if (isCulvertError(error, "CULVERT_UNKNOWN_METHOD")) this.#told.add(to.key);
      else if (!signal.aborted) log("debug", "store-not-told", { message: String(error) });
    }
  }

  async #keep(): Promise<void> {
    const { kept, log } = this.#components;
    try {
      await kept?.write(this.#mark);
    } catch (error) {
      log("warn", "store-news-not-kept", { message: String(error) });
    }
  }
}
