import {
  CulvertError,
  type Journal,
  type JournalChanges,
  type JournalStore,
  type SeededRandom,
} from "../../src/base/index.ts";
import { type VirtualClock, VirtualJournal } from "../../src/testing/index.ts";

/** What can become of a part of a state that was durable. */
export const DAMAGES = ["a lost entry", "a damaged entry", "a damaged head"] as const;

/** The disk of one end: a store for one stream, on a {@link VirtualJournal}. */
export class LifeStore implements JournalStore {
  readonly disk: VirtualJournal;
  readonly #random: SeededRandom;
  readonly damaged = new Map<string, (typeof DAMAGES)[number]>();
  isHeadDamaged = false;
  holder: LifeJournal | undefined;

  constructor(init: {
    readonly clock: VirtualClock;
    readonly random: SeededRandom;
    readonly commitMsMax: number;
  }) {
    this.disk = new VirtualJournal(init);
    this.#random = init.random;
  }

  async open(): Promise<Journal> {
    if (this.holder !== undefined) throw new CulvertError("CULVERT_STATE_IN_USE");
    this.holder = new LifeJournal(this);
    return this.holder;
  }

  /** The process is gone, with what was not durable. */
  crash(): void {
    this.disk.crash();
    this.holder?.crash();
    this.holder = undefined;
  }

  /** Spoils what is durable, if anything is; not while a process runs. */
  damage(kind: (typeof DAMAGES)[number]): void {
    if (kind === "a damaged head") this.isHeadDamaged = this.disk.head !== undefined;
    const { names } = this.disk;
    const name = names[this.#random.below(names.length)];
    if (name !== undefined && kind !== "a damaged head") this.damaged.set(name, kind);
  }
}

class LifeJournal implements Journal {
  readonly #store: LifeStore;
  readonly #waiting = new Set<(error: Error) => void>();

  constructor(store: LifeStore) {
    this.#store = store;
  }

  async load(): Promise<Uint8Array | undefined> {
    const { disk, isHeadDamaged } = this.#held();
    if (isHeadDamaged) throw new CulvertError("CULVERT_BAD_STATE", "a damaged head");
    return disk.head?.slice();
  }

  async commit(changes: JournalChanges): Promise<void> {
    const { disk, damaged } = this.#held();
    for (const { name } of changes.put) damaged.delete(name);
    await this.#wait<void>((done) => disk.commit(changes, done));
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    const { disk, damaged } = this.#held();
    const kind = damaged.get(name);
    if (kind === "a lost entry") return undefined;
    if (kind !== undefined) throw new CulvertError("CULVERT_BAD_STATE", kind);
    return await this.#wait<Uint8Array | undefined>((done) => disk.read(name, done));
  }

  async names(): Promise<string[]> {
    const { disk, damaged } = this.#held();
    return disk.names.filter((name) => damaged.get(name) !== "a lost entry");
  }

  async close(): Promise<void> {
    if (this.#store.holder === this) this.#store.holder = undefined;
  }

  /** What is under way has no outcome; its process would not learn of one. */
  crash(): void {
    for (const reject of this.#waiting) reject(new CulvertError("CULVERT_JOURNAL", "a crash"));
    this.#waiting.clear();
  }

  #wait<T>(begin: (done: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      begin((value) => {
        this.#waiting.delete(reject);
        resolve(value);
      });
    });
  }

  #held(): LifeStore {
    if (this.#store.holder === this) return this.#store;
    throw new CulvertError("CULVERT_JOURNAL", "this journal is no longer open");
  }
}
