import { assert, type Instant } from "../../base/index.ts";
import type { StreamEffect } from "./protocol.ts";

/** What happens once a staged frame is durable. */
type Continuation = (now: Instant) => void;

/** Removals that are written on their own when nothing else is. */
const REMOVALS_MAX = 64;

/**
 * Journal, then put: collects sealed frames and what has to wait for them, and writes them with the
 * head in one commit at a time. Without a journal everything is "durable" at once.
 */
export class CommitQueue {
  readonly #effects: StreamEffect[];
  readonly #durable: boolean;
  readonly #head: () => Uint8Array;
  #staged: { name: string; bytes: Uint8Array }[] = [];
  #waiting: Continuation[] = [];
  #removed: string[] = [];
  #isHeadDirty = false;
  #commit = 0;
  #underWay: Continuation[] | undefined;
  #isFinishing = false;

  constructor(effects: StreamEffect[], durable: boolean, head: () => Uint8Array) {
    this.#effects = effects;
    this.#durable = durable;
    this.#head = head;
  }

  /** Keeps a sealed frame under `name` and calls `then` once it, and the head, are durable. */
  stage(name: string, bytes: Uint8Array, then: Continuation): void {
    this.keep(name, bytes);
    this.#waiting.push(then);
  }

  /** Keeps bytes under `name` from the next commit on; nothing waits for that. */
  keep(name: string, bytes: Uint8Array): void {
    if (this.#durable) this.#staged.push({ name, bytes });
  }

  /** Forgets a frame at the next commit; nothing waits for that. */
  remove(name: string): void {
    if (this.#durable) this.#removed.push(name);
  }

  /** The head has changed in a way that should not wait for the next frame. */
  touch(): void {
    this.#isHeadDirty = this.#durable;
  }

  /** Starts a commit if there is something to write and none is under way. */
  flush(now: Instant): void {
    if (!this.#durable) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const then of waiting) then(now);
      return;
    }
    if (this.#underWay !== undefined) return;
    const isDue = this.#waiting.length > 0 || this.#isHeadDirty;
    if (!isDue && this.#removed.length < REMOVALS_MAX) return;
    this.#underWay = this.#waiting;
    this.#commit += 1;
    this.#effects.push({
      kind: "journal",
      commit: this.#commit,
      changes: { head: this.#head(), put: this.#staged, remove: this.#removed },
    });
    this.#staged = [];
    this.#waiting = [];
    this.#removed = [];
    this.#isHeadDirty = false;
  }

  /**
   * The last commit: calls `then` once the head as it is now is durable. What still waits for an
   * earlier one never goes on.
   */
  finish(now: Instant, then: Continuation): void {
    this.#isFinishing = true;
    if (this.#underWay !== undefined) this.#underWay = [];
    this.#waiting = [
      (at) => {
        this.#isFinishing = false;
        then(at);
      },
    ];
    this.flush(now);
  }

  /** A commit is durable whose owner has finished: at most the last one is left to be written. */
  journaledLate(commit: number, now: Instant): void {
    if (!this.#isFinishing) return;
    this.journaled(commit, now);
    this.flush(now);
  }

  /** The commit is durable: what waited for it goes on. */
  journaled(commit: number, now: Instant): void {
    assert(commit === this.#commit, "commits are answered in order");
    const waiting = this.#underWay ?? [];
    this.#underWay = undefined;
    for (const then of waiting) then(now);
  }
}
