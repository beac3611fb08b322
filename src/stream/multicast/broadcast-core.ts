import type { Core, ErrorCode, Instant, Random } from "../../base/index.ts";
import { Chain, ReadCapability, type WriteCapability } from "../../crypto/index.ts";
import { CommitQueue } from "../exchange/commit-queue.ts";
import { Exchange } from "../exchange/exchange.ts";
import { Outcome } from "../exchange/outcome.ts";
import type { IoInput, StreamEffect, StreamInput } from "../exchange/protocol.ts";
import type { Acknowledgement } from "../frame/frame.ts";
import { resolveOptions } from "../options.ts";
import { BroadcastSender } from "./broadcast-sender.ts";
import {
  type BroadcastState,
  encodeBroadcastState,
  type RepairPosition,
} from "./broadcast-state.ts";
import type { BroadcastOptions } from "./options.ts";

/** What a broadcast core is told. */
export type BroadcastInput =
  | IoInput
  | Extract<StreamInput, { kind: "write" | "end" | "abort" }>
  /** A reader's repair chain is followed from here on; an earlier place of it is replaced. */
  | { readonly kind: "reader"; readonly id: string; readonly position: RepairPosition }
  /** A reader's repair chain is not followed any more. */
  | { readonly kind: "reader-gone"; readonly id: string }
  /** A reader lacks frames: `credit` of them from `next` on, but for those in the bitmap. */
  | { readonly kind: "repair"; readonly wanted: Acknowledgement };

/** What a broadcast core is made of. */
export interface BroadcastCoreInit {
  /** The right to write, at the first index. */
  readonly write: WriteCapability;
  readonly cellBytes: number;
  readonly random: Random;
  readonly options: BroadcastOptions;
  /** Where an earlier session stopped, and the readers by their ids. */
  readonly state?: BroadcastState;
  /** The bytes that the state counts as waiting for a frame. */
  readonly waiting?: Uint8Array;
  readonly readers?: ReadonlyMap<string, RepairPosition>;
}

/** Numbers about a broadcast that are cheap to read at any time. */
export interface BroadcastProgress {
  readonly writtenBytes: number;
  /** Bytes in frames: durable when the journal is. */
  readonly framedBytes: number;
  /** Bytes of which the Map has everything, as far as this session knows. */
  readonly storedBytes: number;
  /** Everything that was written, and the end if it was, is in the Map. */
  readonly isAllStored: boolean;
  /** Frames that are kept alive, and those of them that the Map does not have yet. */
  readonly keptFrames: number;
  readonly unstoredFrames: number;
  readonly framesInMemory: number;
  /** Readers whose repair chains are followed, and the puts that they have asked for. */
  readonly readers: number;
  readonly repairs: number;
  readonly roundTripMs: number | undefined;
  readonly puts: number;
  readonly answers: number;
  readonly timeouts: number;
}

/** How long an abort is repeated before the broadcast leaves anyway, in RTOs. */
const ABORT_RTOS = 8;

/**
 * The one writer of a multicast stream. Readers never hold it up, whatever they do.
 *
 * The contract is that of {@link Core}. The first input is `start`. After `fail` or `done` nothing
 * comes out any more and inputs are ignored.
 */
export class BroadcastCore implements Core<BroadcastInput, StreamEffect> {
  readonly #cellBytes: number;
  readonly #root: Uint8Array;
  readonly #writeSeed: Uint8Array;
  readonly #isResumed: boolean;
  readonly #effects: StreamEffect[] = [];
  readonly #exchange: Exchange;
  readonly #commits: CommitQueue;
  readonly #outcome: Outcome;
  readonly #sender: BroadcastSender;
  readonly #readers: Map<string, RepairPosition>;
  #isStarted = false;
  #isAborting = false;
  #abortUntil: Instant = Number.POSITIVE_INFINITY;
  #now: Instant = Number.NEGATIVE_INFINITY;

  constructor(init: BroadcastCoreInit) {
    // Nothing is kept of the chain that it is given but what the sender does: that one moves on.
    const { write, state, readers, ...given } = init;
    const { options, random } = given;
    this.#cellBytes = given.cellBytes;
    this.#root = write.root;
    this.#writeSeed = write.toBytes().slice(0, 32);
    this.#isResumed = state !== undefined;
    this.#isAborting = state?.resetIndex !== undefined;
    this.#readers = new Map(readers);
    this.#exchange = new Exchange(resolveOptions(options), random, this.#effects);
    const head = (): Uint8Array => encodeBroadcastState(this.state(false));
    this.#commits = new CommitQueue(this.#effects, options.durable, head);
    const io = { effects: this.#effects, exchange: this.#exchange, commits: this.#commits };
    this.#outcome = new Outcome({ ...io, isOver: state?.isDone ?? false });
    this.#sender = new BroadcastSender({ ...given, ...io }, write.chain, state);
  }

  /** Whether another `write` should wait for the `drain` effect. */
  get isFull(): boolean {
    return this.#sender.isFull;
  }

  /** Copies what is in no frame of what was written: until now it was borrowed. */
  own(): void {
    this.#sender.own();
  }

  /** Nothing is left to be done. */
  get isOver(): boolean {
    return this.#outcome.isOver;
  }

  get progress(): BroadcastProgress {
    const { puts, answers, timeouts } = this.#exchange.counts;
    const sender = this.#sender;
    return {
      writtenBytes: sender.framedBytes + sender.bufferedBytes,
      framedBytes: sender.framedBytes,
      storedBytes: sender.storedBytes,
      isAllStored: sender.isAllStored,
      keptFrames: sender.keptFrames,
      unstoredFrames: sender.unstoredFrames,
      framesInMemory: sender.residentFrames,
      readers: this.#readers.size,
      repairs: sender.repairs,
      roundTripMs: this.#exchange.rto.meanMs,
      puts,
      answers,
      timeouts,
    };
  }

  /** The right to read from the next frame on, or from the oldest one that is kept. */
  capability(from: "next" | "oldest"): ReadCapability {
    const sender = this.#sender;
    const state = from === "next" ? sender.headState() : sender.oldestState();
    return ReadCapability.of(this.#root, Chain.fromBytes(state));
  }

  handle(input: BroadcastInput, now: Instant): void {
    this.#now = now;
    if (this.#outcome.isOver) {
      if (input.kind === "journaled") this.#commits.journaledLate(input.commit, now);
      return;
    }
    this.#dispatch(input, now);
    this.#settle(now);
  }

  timeout(now: Instant): void {
    this.#now = now;
    if (this.#outcome.isOver || !this.#isStarted) return;
    let late = this.#exchange.nextLate(now);
    for (; late !== undefined; late = this.#exchange.nextLate(now)) this.#sender.onLate(late);
    this.#sender.timeout(now);
    if (now >= this.#abortUntil) this.#outcome.finish(now);
    this.#settle(now);
  }

  poll(): StreamEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    if (this.#outcome.isOver || !this.#isStarted) return Number.POSITIVE_INFINITY;
    return Math.min(this.#exchange.deadline(), this.#sender.deadline(this.#now), this.#abortUntil);
  }

  /** Everything but bytes; `whole`: what waits for a frame is counted. Holds secrets. */
  state(whole = true): BroadcastState {
    return {
      ...this.#sender.save(whole),
      cellBytes: this.#cellBytes,
      writeSeed: this.#writeSeed,
      readers: [...this.#readers.values()],
      isDone: this.#outcome.isOver,
    };
  }

  encodedState(): Uint8Array {
    return encodeBroadcastState(this.state());
  }

  /** What is in memory alone, by journal name: sealed frames, borrowed, and what waits for one. */
  residentFrames(): Map<string, Uint8Array> {
    return this.#sender.residentByName();
  }

  #dispatch(input: BroadcastInput, now: Instant): void {
    switch (input.kind) {
      case "start":
        if (!this.#isStarted) this.#start(input.unixMs, now);
        break;
      case "write":
        this.#sender.write(input.bytes);
        break;
      case "end":
        this.#sender.end();
        break;
      case "abort":
        this.#abort(now);
        break;
      case "reader":
        this.#readers.set(input.id, input.position);
        this.#commits.touch();
        break;
      case "reader-gone":
        if (this.#readers.delete(input.id)) this.#commits.touch();
        break;
      case "repair":
        this.#sender.repair(input.wanted, now);
        break;
      case "stored":
        this.#onStored(input.request, input.ttlSeconds, now);
        break;
      case "got":
        this.#exchange.settle(input.request, now);
        break;
      case "failed":
        this.#onFailed(input.request, input.code, now);
        break;
      case "journaled":
        this.#commits.journaled(input.commit, now);
        break;
      case "recalled":
        this.#onRecalled(input.name, input.bytes, now);
        break;
      case "turn":
        this.#exchange.beginTurn();
        break;
    }
  }

  #start(unixMs: number, now: Instant): void {
    this.#isStarted = true;
    this.#sender.start(now, unixMs);
    if (this.#isAborting) this.#abortUntil = now + ABORT_RTOS * this.#exchange.rto.rtoMs();
  }

  #settle(now: Instant): void {
    if (this.#outcome.isOver || !this.#isStarted) return;
    this.#sender.pump(now);
    this.#commits.flush(now);
    this.#sender.report();
    const isTold = this.#isAborting && this.#sender.isComplete;
    if (isTold || this.#sender.isThrough) this.#outcome.finish(now);
    this.#commits.flush(now);
    this.#exchange.endTurn(this, now);
  }

  #abort(now: Instant): void {
    if (this.#isAborting) return;
    this.#isAborting = true;
    if (this.#isStarted) {
      this.#abortUntil = now + ABORT_RTOS * this.#exchange.rto.rtoMs();
      this.#sender.abort();
    } else this.#outcome.finish(now);
  }

  #onStored(id: number, ttlSeconds: number, now: Instant): void {
    const request = this.#exchange.settle(id, now);
    if (request !== undefined) this.#sender.onStored(request, ttlSeconds, now);
    this.#outcome.reached();
  }

  #onFailed(id: number, code: ErrorCode, now: Instant): void {
    const request = this.#exchange.fail(id);
    if (request === undefined) return;
    if (code === "CULVERT_CONFLICT") {
      if (this.#isResumed)
        this.#outcome.fail(
          "CULVERT_STALE_STATE",
          "an address of this state is taken: it is an old copy",
        );
      else
        this.#outcome.fail(
          "CULVERT_SECRET_USED",
          "an address is taken: this capability has been written with",
        );
      return;
    }
    this.#outcome.setback(code);
    this.#exchange.pause(code, now);
    this.#sender.onLate(request);
  }

  #onRecalled(name: string, bytes: Uint8Array | undefined, now: Instant): void {
    if (this.#sender.onRecalled(Number(name.slice(1)), bytes, now)) return;
    this.#outcome.fail("CULVERT_JOURNAL", "the journal has lost a frame that it confirmed");
  }
}
