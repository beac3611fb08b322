import type { Core, ErrorCode, Instant, Random } from "../../base/index.ts";
import type { StreamOptions } from "../options.ts";
import { CommitQueue } from "./commit-queue.ts";
import { Exchange, type Request } from "./exchange.ts";
import { type CoreIo, Outcome } from "./outcome.ts";
import {
  type Failure,
  type GotInput,
  type IoInput,
  isIoInput,
  type StreamEffect,
} from "./protocol.ts";
import { requestsPerTurn } from "./requests-per-turn.ts";

/** How long an abort is repeated before its core leaves anyway, in RTOs. */
export const ABORT_RTOS = 8;

/** What a frame core begins with. */
export interface FrameCoreInit {
  readonly options: StreamOptions;
  readonly random: Random;
  readonly cellBytes: number;
  /** An earlier session has ended it. */
  readonly isOver: boolean;
}

/**
 * What all cores that exchange frames with a Map have in common: what they hear from their engine,
 * and the turns in which they answer. `Own` is what the application tells them besides.
 *
 * The contract is that of {@link Core}. The first input is `start`. After `fail` or `done` nothing
 * comes out any more and inputs are ignored.
 */
export abstract class FrameCore<Own extends { readonly kind: string }>
  implements Core<Own | IoInput, StreamEffect>
{
  protected readonly effects: StreamEffect[] = [];
  protected readonly exchange: Exchange;
  protected readonly commits: CommitQueue;
  protected readonly outcome: Outcome;
  #isStarted = false;
  #now: Instant = Number.NEGATIVE_INFINITY;

  protected constructor({ options, random, cellBytes, isOver }: FrameCoreInit) {
    // A turn has room for as many cells as fit one.
    const perTurn = requestsPerTurn(cellBytes);
    this.exchange = new Exchange(options, random, this.effects, perTurn);
    this.commits = new CommitQueue(this.effects, options.durable, () => this.head());
    this.outcome = new Outcome({ ...this.io, isOver });
  }

  /** Nothing is left to be done. */
  get isOver(): boolean {
    return this.outcome.isOver;
  }

  handle(input: Own | IoInput, now: Instant): void {
    this.#now = now;
    if (this.isOver) {
      if (isIoInput(input) && input.kind === "journaled") {
        this.commits.journaledLate(input.commit, now);
      }
      return;
    }
    if (isIoInput(input)) this.#hear(input, now);
    else this.obey(input, now);
    this.#settle(now);
  }

  timeout(now: Instant): void {
    this.#now = now;
    if (this.isOver || !this.#isStarted) return;
    let late = this.exchange.nextLate(now);
    for (; late !== undefined; late = this.exchange.nextLate(now)) this.onLate(late);
    this.onTimeout(now);
    this.#settle(now);
  }

  poll(): StreamEffect | undefined {
    return this.effects.shift();
  }

  deadline(): Instant {
    if (this.isOver || !this.#isStarted) return Number.POSITIVE_INFINITY;
    return Math.min(this.exchange.deadline(), this.ownDeadline(this.#now));
  }

  /** Everything but bytes, encoded. Holds secrets. */
  abstract encodedState(): Uint8Array;

  /** What is in memory alone, by journal name: sealed frames, borrowed, and what waits for one. */
  abstract residentFrames(): Map<string, Uint8Array>;

  protected get io(): CoreIo {
    return { effects: this.effects, exchange: this.exchange, commits: this.commits };
  }

  protected get isStarted(): boolean {
    return this.#isStarted;
  }

  /** When the core heard or woke for the last time. */
  protected get now(): Instant {
    return this.#now;
  }

  /** The state as every commit writes it: what waits for a frame is in none yet. */
  protected abstract head(): Uint8Array;
  protected abstract begin(unixMs: number, now: Instant): void;
  /** The application wants something. */
  protected abstract obey(input: Own, now: Instant): void;
  /** Of a request that nobody knows any more, none is given. */
  protected abstract onStored(request: Request | undefined, ttlSeconds: number, now: Instant): void;
  protected abstract onGot(request: Request | undefined, got: GotInput, now: Instant): void;
  protected abstract onFailed(request: Request, code: ErrorCode, now: Instant): void;
  /** It was not answered in time, and still counts when it is. */
  protected abstract onLate(request: Request): void;
  /** False when what the journal gave is not what it was given. */
  protected abstract onRecalled(name: string, bytes: Uint8Array | undefined, now: Instant): boolean;
  protected onTimeout(_now: Instant): void {}
  protected abstract ownDeadline(now: Instant): Instant;
  /** After each input: whatever can be put, asked for, written and told by now. */
  protected abstract settle(now: Instant): void;

  protected fail(code: ErrorCode, message: string, detail?: Failure["detail"]): void {
    this.outcome.fail(code, message, detail);
  }

  #hear(input: IoInput, now: Instant): void {
    switch (input.kind) {
      case "start":
        this.exchange.heed(input);
        if (!this.#isStarted) this.begin(input.unixMs, now);
        this.#isStarted = true;
        break;
      case "transport":
        this.exchange.heed(input);
        break;
      case "stored":
        this.onStored(this.exchange.settle(input.request, now), input.ttlSeconds, now);
        this.outcome.reached();
        break;
      case "got":
        this.onGot(this.exchange.settle(input.request, now), input, now);
        break;
      case "failed": {
        const request = this.exchange.fail(input.request);
        if (request !== undefined) this.onFailed(request, input.code, now);
        break;
      }
      case "journaled":
        this.commits.journaled(input.commit, now);
        break;
      case "recalled":
        if (!this.onRecalled(input.name, input.bytes, now)) {
          this.fail("CULVERT_JOURNAL", "the journal has lost a frame that it confirmed");
        }
        break;
      case "turn":
        this.exchange.beginTurn();
        break;
    }
  }

  #settle(now: Instant): void {
    if (this.isOver || !this.#isStarted) return;
    this.settle(now);
    this.exchange.endTurn(this, now);
  }
}
