import type { ErrorCode, Instant, Random } from "../../base/index.ts";
import { Chain, ReadCapability, type WriteCapability } from "../../crypto/index.ts";
import type { Request } from "../exchange/exchange.ts";
import { ABORT_RTOS, FrameCore } from "../exchange/frame-core.ts";
import type { IoInput, StreamOrder } from "../exchange/protocol.ts";
import type { Acknowledgement } from "../frame/frame.ts";
import { resolveOptions } from "../options.ts";
import { writeSeedOf } from "../secret.ts";
import { BroadcastSender } from "./broadcast-sender.ts";
import {
  type BroadcastState,
  encodeBroadcastState,
  type RepairPosition,
} from "./broadcast-state.ts";
import type { BroadcastOptions } from "./options.ts";

/** What a broadcast core is told. */
export type BroadcastInput = IoInput | BroadcastOrder;

/** What the application, and those who follow repair chains, tell a broadcast core. */
type BroadcastOrder =
  | Extract<StreamOrder, { kind: "write" | "end" | "abort" }>
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
  /** Bytes that were accepted, those too that are dropped when it is given up. */
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

/** The one writer of a multicast stream. Readers never hold it up, whatever they do. */
export class BroadcastCore extends FrameCore<BroadcastOrder> {
  readonly #cellBytes: number;
  readonly #root: Uint8Array;
  readonly #writeSeed: Uint8Array;
  readonly #isResumed: boolean;
  readonly #sender: BroadcastSender;
  readonly #readers: Map<string, RepairPosition>;
  #isAborting: boolean;
  #abortUntil: Instant = Number.POSITIVE_INFINITY;

  constructor(init: BroadcastCoreInit) {
    // Nothing is kept of the chain that it is given but what the sender does: that one moves on.
    const { write, state, readers, ...given } = init;
    const { options } = given;
    const isOver = state?.isDone ?? false;
    super({ ...given, options: resolveOptions(options), isOver });
    this.#cellBytes = given.cellBytes;
    this.#root = write.root;
    this.#writeSeed = writeSeedOf(write);
    this.#isResumed = state !== undefined;
    this.#isAborting = state?.resetIndex !== undefined;
    this.#readers = new Map(readers);
    this.#sender = new BroadcastSender({ ...given, ...this.io }, write.chain, state);
  }

  /** Whether another `write` should wait for the `drain` effect. */
  get isFull(): boolean {
    return this.#sender.isFull;
  }

  /** Copies what is in no frame of what was written: until now it was borrowed. */
  own(): void {
    this.#sender.own();
  }

  get progress(): BroadcastProgress {
    const { puts, answers, timeouts } = this.exchange.counts;
    const sender = this.#sender;
    return {
      writtenBytes: sender.writtenBytes,
      framedBytes: sender.framedBytes,
      storedBytes: sender.storedBytes,
      isAllStored: sender.isAllStored,
      keptFrames: sender.keptFrames,
      unstoredFrames: sender.unstoredFrames,
      framesInMemory: sender.residentFrames,
      readers: this.#readers.size,
      repairs: sender.repairs,
      roundTripMs: this.exchange.rto.meanMs,
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

  /** Everything but bytes; `whole`: what waits for a frame is counted. Holds secrets. */
  state(whole = true): BroadcastState {
    return {
      ...this.#sender.save(whole),
      cellBytes: this.#cellBytes,
      writeSeed: this.#writeSeed,
      readers: [...this.#readers.values()],
      isDone: this.isOver,
    };
  }

  override encodedState(): Uint8Array {
    return encodeBroadcastState(this.state());
  }

  protected override head(): Uint8Array {
    return encodeBroadcastState(this.state(false));
  }

  override residentFrames(): Map<string, Uint8Array> {
    return this.#sender.residentByName();
  }

  protected override onTimeout(now: Instant): void {
    this.#sender.timeout(now);
    if (now >= this.#abortUntil) this.outcome.finish(now);
  }

  protected override ownDeadline(now: Instant): Instant {
    return Math.min(this.#sender.deadline(now), this.#abortUntil);
  }

  protected override obey(order: BroadcastOrder, now: Instant): void {
    switch (order.kind) {
      case "write":
        this.#sender.write(order.bytes);
        break;
      case "end":
        this.#sender.end();
        break;
      case "abort":
        this.#abort(now);
        break;
      case "reader":
        this.#readers.set(order.id, order.position);
        this.commits.touch();
        break;
      case "reader-gone":
        if (this.#readers.delete(order.id)) this.commits.touch();
        break;
      case "repair":
        this.#sender.repair(order.wanted, now);
        break;
    }
  }

  protected override begin(unixMs: number, now: Instant): void {
    this.#sender.start(now, unixMs);
    if (this.#isAborting) this.#abortUntil = now + ABORT_RTOS * this.exchange.rto.rtoMs();
  }

  protected override settle(now: Instant): void {
    this.#sender.pump(now);
    this.commits.flush(now);
    this.#sender.report();
    const isTold = this.#isAborting && this.#sender.isComplete;
    if (isTold || this.#sender.isThrough) this.outcome.finish(now);
    this.commits.flush(now);
  }

  #abort(now: Instant): void {
    if (this.#isAborting) return;
    this.#isAborting = true;
    if (this.isStarted) {
      this.#abortUntil = now + ABORT_RTOS * this.exchange.rto.rtoMs();
      this.#sender.abort();
    } else this.outcome.finish(now);
  }

  protected override onStored(
    request: Request | undefined,
    ttlSeconds: number,
    now: Instant,
  ): void {
    if (request !== undefined) this.#sender.onStored(request, ttlSeconds, now);
  }

  /** It asks for nothing. */
  protected override onGot(): void {}

  protected override onFailed(request: Request, code: ErrorCode, now: Instant): void {
    if (code !== "CULVERT_CONFLICT") {
      this.outcome.setback(code);
      this.exchange.pause(code, now);
      this.#sender.onLate(request);
    } else if (this.#isResumed) {
      this.fail("CULVERT_STALE_STATE", "an address of this state is taken: it is an old copy");
    } else {
      const message = "an address is taken: this capability has been written with";
      this.fail("CULVERT_SECRET_USED", message);
    }
  }

  protected override onLate(request: Request): void {
    this.#sender.onLate(request);
  }

  protected override onRecalled(
    name: string,
    bytes: Uint8Array | undefined,
    now: Instant,
  ): boolean {
    return this.#sender.onRecalled(Number(name.slice(1)), bytes, now);
  }
}
