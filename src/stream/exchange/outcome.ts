import type { ErrorCode, Instant } from "../../base/index.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { Exchange } from "./exchange.ts";
import { describeSetback } from "./failure.ts";
import type { Failure, StreamEffect } from "./protocol.ts";

/** By what a core, and each part of it, speaks to the Map, to the journal and to its owner. */
export interface CoreIo {
  readonly effects: StreamEffect[];
  readonly exchange: Exchange;
  readonly commits: CommitQueue;
}

/**
 * How a core fares: what it warns of, each thing once, and that it ends, by an error or well. From
 * then on nothing is asked of the Map, and nothing comes out but the last commit and the effect
 * that says so.
 */
export class Outcome {
  readonly #io: CoreIo;
  readonly #warned = new Set<ErrorCode>();
  #isOver: boolean;

  /** `isOver`: an earlier session has ended it. */
  constructor({ isOver, ...io }: CoreIo & { readonly isOver: boolean }) {
    this.#io = io;
    this.#isOver = isOver;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  warn(code: ErrorCode, message: string): void {
    if (this.#warned.has(code)) return;
    this.#warned.add(code);
    this.#io.effects.push({ kind: "warning", code, message });
  }

  /** A request has failed; it is made again. */
  setback(code: ErrorCode): void {
    this.warn(code, describeSetback(code));
  }

  /** The Map has taken a put: when it cannot be reached any more, that is news. */
  reached(): void {
    this.#warned.delete("CULVERT_UNREACHABLE");
  }

  /** Ends with an error, unless it is over. */
  fail(code: ErrorCode, message: string, detail?: Failure["detail"]): void {
    if (!this.#end()) return;
    this.#io.effects.push({ kind: "fail", code, message, ...(detail && { detail }) });
  }

  /** Ends well, unless it is over. */
  finish(now: Instant): void {
    if (!this.#end()) return;
    const { commits, effects } = this.#io;
    // A journal that does not know would have the next session say the last words again.
    commits.finish(now, () => effects.push({ kind: "done" }));
  }

  /** False when it was over before. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#io.exchange.cancelAll();
    this.#isOver = true;
    return true;
  }
}
