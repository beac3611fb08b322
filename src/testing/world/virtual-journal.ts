import type { JournalChanges, SeededRandom } from "../../base/index.ts";
import type { VirtualClock } from "../virtual-clock.ts";

interface Commit {
  readonly changes: JournalChanges;
  readonly done: () => void;
}

interface State {
  head: Uint8Array | undefined;
  readonly entries: Map<string, Uint8Array>;
}

/**
 * A disk that takes its time. Commits become durable one after another; a crash loses those that
 * wait, and the one that is being written either happened or did not: never half of it.
 */
export class VirtualJournal {
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;
  readonly #commitMsMax: number;
  readonly #queue: Commit[] = [];
  #durable: State = { head: undefined, entries: new Map() };
  #backup: State | undefined;
  #session = 0;

  constructor(init: {
    readonly clock: VirtualClock;
    readonly random: SeededRandom;
    readonly commitMsMax: number;
  }) {
    this.#clock = init.clock;
    this.#random = init.random;
    this.#commitMsMax = init.commitMsMax;
  }

  /** The durable head, or `undefined` before the first commit. */
  get head(): Uint8Array | undefined {
    return this.#durable.head;
  }

  /** Names of what is durable beside the head. */
  get names(): string[] {
    return [...this.#durable.entries.keys()];
  }

  /** Starts to make a change durable; `done` is called when it is. Bytes are copied. */
  commit(changes: JournalChanges, done: () => void): void {
    this.#queue.push({ changes: copyOf(changes), done });
    if (this.#queue.length === 1) this.#write();
  }

  /** Answers later with what is durable under `name` by then; never, after a crash. */
  read(name: string, done: (bytes: Uint8Array | undefined) => void): void {
    const session = this.#session;
    this.#clock.schedule(this.#clock.now() + this.#drawMs(), () => {
      if (session === this.#session) done(this.#durable.entries.get(name)?.slice());
    });
  }

  /** The process is gone: nobody is told anything any more. */
  crash(): void {
    this.#session += 1;
    const writing = this.#queue[0];
    if (writing !== undefined && this.#random.unit() < 0.5) this.#apply(writing.changes);
    this.#queue.length = 0;
  }

  /** Puts a copy of the durable state aside. */
  backUp(): void {
    this.#backup = copyOfState(this.#durable);
  }

  /** Goes back to the copy; false when there is none. The process must not be running. */
  restore(): boolean {
    if (this.#backup === undefined) return false;
    this.#durable = copyOfState(this.#backup);
    return true;
  }

  #write(): void {
    const session = this.#session;
    this.#clock.schedule(this.#clock.now() + this.#drawMs(), () => {
      if (session !== this.#session) return;
      const commit = this.#queue.shift();
      if (commit === undefined) return;
      this.#apply(commit.changes);
      if (this.#queue.length > 0) this.#write();
      commit.done();
    });
  }

  #apply(changes: JournalChanges): void {
    this.#durable.head = changes.head;
    for (const { name, bytes } of changes.put) this.#durable.entries.set(name, bytes);
    for (const name of changes.remove) this.#durable.entries.delete(name);
  }

  #drawMs(): number {
    return this.#commitMsMax > 0 ? this.#random.unit() * this.#commitMsMax : 0;
  }
}

function copyOf(changes: JournalChanges): JournalChanges {
  return {
    head: changes.head.slice(),
    put: changes.put.map(({ name, bytes }) => ({ name, bytes: bytes.slice() })),
    remove: [...changes.remove],
  };
}

function copyOfState(state: State): State {
  return { head: state.head, entries: new Map(state.entries) };
}
