import type { ErrorCode, Instant } from "../../base/index.ts";
import { ACK_DELAY_MS_MIN } from "../acks/ack-delay.ts";
import { AHEAD_START, ChainReader } from "../exchange/chain-reader.ts";
import type { Request } from "../exchange/exchange.ts";
import type { CoreIo } from "../exchange/outcome.ts";
import type { GotInput, TakenInput } from "../exchange/protocol.ts";
import { openFrame } from "../frame/cell.ts";
import { contentOf, FINAL_LENGTH_BYTES, finalLengthOf } from "../frame/content.ts";
import {
  type Acknowledgement,
  emptySelective,
  type Frame,
  markOf,
  NO_MARK,
  payloadBytesMax,
  SELECTIVE_BITS,
  select,
} from "../frame/frame.ts";
import type { FrameKeys } from "../frame/frame-keys.ts";
import type { StreamOptions } from "../options.ts";
import type { ReceiverState } from "../state.ts";
import { Arrivals, type ArrivalsStart } from "./arrivals.ts";
import { BegunBytes } from "./begun-bytes.ts";
import { UnreadLife } from "./unread-life.ts";

/** What the receiver needs from the core around it. */
export interface ReceiverInit extends CoreIo {
  readonly options: StreamOptions;
  readonly cellBytes: number;
  readonly keys: FrameKeys;
  /** The pieces that the state counts as begun; they become the receiver's. */
  readonly begun?: readonly Uint8Array[] | undefined;
  /** The first payload byte that the stream must have. */
  readonly mode: number;
  /** A frame was opened: what it says about our frames. */
  readonly onFrame: (frame: Frame, now: Instant) => void;
  /** An acknowledgement has to be put by this instant. */
  readonly wantAck: (at: Instant) => void;
  readonly warn: (code: ErrorCode, message: string) => void;
  readonly fail: (code: ErrorCode, message: string) => void;
  readonly ackDelayMs: () => number;
}

/** Gets that wait beyond the known frames while a budget makes them scarce. */
const AHEAD_PACED = 48;

/** Places beyond the peer's end, and beyond what came after it, that are watched for its probes. */
const PLACES_BEYOND_END = 2;

/**
 * While frames pour in, acknowledgements keep the distance of their shortest delay, unless so many
 * times as many frames as usual came: each of them costs all parties as much as a frame. Where one
 * is missing, the writer hears of it sooner.
 */
const ACK_STRETCH = 8;
const ACK_STRETCH_GAP = 4;

/** Questions in vain after which the writer is told to put a frame again. */
const STARVED_ASKS = 8;

/**
 * Questions in vain after which the application is told: the last of them had all the patience
 * there is, and a writer that is there has heard long before that the frame is missing.
 */
const LOST_ASKS = 64;

/** What is wrong when a frame is missing for long, and later ones are not. */
export const GAP = "later data is in the Map, what comes before it is not";

/** A reader of the first frame knows what it has to name before it. */
const BEGINNING: ArrivalsStart = { next: 0, nextOffset: 0, takenOffset: 0, mark: NO_MARK };

/** The reading half of a stream: sealed frames in, the application's bytes out, in order, once. */
export class ReceiverCore {
  readonly #init: ReceiverInit;
  readonly #reader: ChainReader;
  readonly #arrivals: Arrivals;
  readonly #begun: BegunBytes;
  #end: { index: number; length: number } | undefined;
  #isAborted = false;
  #resetCode: number | undefined;
  #isClosed = false;
  #framesSinceAck = 0;
  #acknowledgedAt: Instant = Number.NEGATIVE_INFINITY;
  #wasWithoutRoom = false;
  /** How long the Map keeps the peer's frames. */
  readonly unreadLife: UnreadLife = new UnreadLife();

  constructor(init: ReceiverInit, state?: ReceiverState) {
    this.#init = init;
    this.#arrivals = new Arrivals(state ?? BEGINNING);
    this.#begun = new BegunBytes(init.commits, state?.begun, init.begun);
    this.#end = state?.end;
    const { options, exchange, keys } = init;
    this.#reader = new ChainReader(exchange, keys, this.#arrivals.next, {
      purpose: "data-get",
      aheadMin: Math.min(exchange.isPaced ? AHEAD_PACED : AHEAD_START, options.window),
      aheadMax: () => (exchange.isPaced ? AHEAD_PACED : exchange.getsAhead),
      aheadGrowth: 4,
      quietAskMsMax: options.quietAskMsMax,
      quietPlaces: 1,
    });
  }

  /** Bytes that the application was given, by this session or an earlier one. */
  get deliveredBytes(): number {
    return Math.max(this.#arrivals.offset, this.#arrivals.takenOffset);
  }

  get takenBytes(): number {
    return this.#arrivals.takenOffset;
  }

  /** Opened frames that are held in memory. */
  get heldFrames(): number {
    return this.#arrivals.heldFrames;
  }

  /** The application has taken everything up to and with the peer's end. */
  get isEndTaken(): boolean {
    return this.#end !== undefined && this.#arrivals.taken > this.#end.index;
  }

  /** The peer has more to say, and may: not while what it said waits for the application. */
  get isExpecting(): boolean {
    const { next, taken } = this.#arrivals;
    if (this.#end !== undefined) return false;
    // Nobody was stopped by his probes.
    return next - taken < this.#reach || !this.#arrivals.isWaiting(this.#reach);
  }

  /** A later frame has arrived, and the next one in order has not. */
  get hasGap(): boolean {
    return this.#arrivals.heldFrames > 0;
  }

  /** The frame at our acknowledgement was asked for again and again in vain. */
  get isStarved(): boolean {
    return this.#arrivals.taken === this.#arrivals.next && this.#isMissing(STARVED_ASKS);
  }

  /** The peer should say more, and what comes next was asked for many times in vain. */
  get isStuck(): boolean {
    return !this.isEndTaken && (this.#reader.isQuiet || this.#isMissing(STARVED_ASKS));
  }

  /** What we have to say about the peer's frames. */
  acknowledgement(): Acknowledgement {
    const selective = emptySelective();
    const { taken: next, next: inOrder, early } = this.#arrivals;
    for (let index = next + 1; index < inOrder; index++) select(selective, index - next - 1);
    for (const index of early) select(selective, index - next - 1);
    return { next, credit: this.#resetCode ?? this.#init.options.creditFrames, selective };
  }

  /** An acknowledgement has left, on a data frame or on its own. */
  acknowledged(now: Instant): void {
    this.#framesSinceAck = 0;
    this.#acknowledgedAt = now;
  }

  take({ offset, begun }: TakenInput, now: Instant): void {
    this.#begun.take(offset - this.#arrivals.takenOffset, begun);
    this.#arrivals.take(offset);
    this.#advanceTaken(now);
  }

  onGot(request: Request, { cell, ttlSeconds }: GotInput, now: Instant): void {
    const { index } = request;
    if (this.#arrivals.has(index)) return;
    const opened = openFrame(cell, this.#init.keys.at(index), this.#init.cellBytes);
    if (opened.kind === "closed") {
      this.#init.warn("CULVERT_DECRYPT_FAILED", "a cell did not open; it is asked for again");
      this.#reader.spoiled(index, now);
      return;
    }
    const problem = opened.kind === "frame" ? this.#problem(opened.frame, index) : opened.field;
    if (opened.kind !== "frame" || problem !== undefined) {
      this.#init.fail("CULVERT_PROTOCOL", `the peer sealed a frame with a bad ${problem}`);
      return;
    }
    this.unreadLife.note(index, ttlSeconds, now);
    this.#arrivals.add(index, opened.frame, markOf(cell));
    this.#reader.arrived(index, now);
    this.#init.keys.spend(index);
    this.#accept(opened.frame, now);
  }

  onFailed(request: Request, now: Instant): void {
    this.#reader.failed(request, now);
  }

  onLate(request: Request): void {
    this.#reader.late(request);
  }

  pump(now: Instant): void {
    this.#reader.pump(now, this.#limit());
    if (this.hasGap && this.#isMissing(LOST_ASKS)) this.#init.warn("CULVERT_DATA_EXPIRED", GAP);
  }

  /** Asks only for frames that are likely to be there: they come before a budget's other uses. */
  pumpLikely(now: Instant): void {
    this.#reader.pumpLikely(now, this.#limit());
  }

  deadline(now: Instant): Instant {
    return this.#reader.deadline(now, this.#limit());
  }

  /**
   * Stops asking and delivering, for a stream that is over. One that was given up has no room any
   * more: where an acknowledgement tells how much, it tells the peer a code.
   */
  close(resetCode?: number): void {
    this.#isClosed = true;
    this.#resetCode = resetCode;
    this.#reader.isOpen = false;
  }

  save(): ReceiverState {
    return {
      ...this.#arrivals.save(),
      begun: this.#begun.save(),
      end: this.isEndTaken ? this.#end : undefined,
      chain: this.#init.keys.baseState(),
    };
  }

  /** What is kept of what was read, by journal name. Borrowed. */
  residentByName(): Map<string, Uint8Array> {
    return this.#begun.byName();
  }

  #isMissing(asks: number): boolean {
    return this.#reader.asksInVain >= asks;
  }

  /** The first index that must not be asked for: what memory, or the peer's end, allows. */
  #limit(): number {
    const { options, cellBytes } = this.#init;
    if (this.#end === undefined) {
      return this.#arrivals.limit(options.receiveFramesMax, payloadBytesMax(cellBytes));
    }
    return Math.max(this.#end.index + 1, this.#arrivals.next) + PLACES_BEYOND_END;
  }

  /** So many frames that wait for the application may be all that the peer may send. */
  get #reach(): number {
    return Math.min(this.#init.options.receiveFramesMax, SELECTIVE_BITS);
  }

  /** The name of the first field that does not fit where the frame was found. */
  #problem(frame: Frame, index: number): string | undefined {
    if (frame.type === "ack" || (frame.type === "start" && index !== 0)) return "type";
    if (index === 0 && frame.type !== "start" && frame.type !== "reset") return "type";
    if (frame.type === "start" && frame.payload[0] !== this.#init.mode) return "mode";
    if (frame.type === "end" && frame.payload.length < FINAL_LENGTH_BYTES) return "length";
    return undefined;
  }

  #accept(frame: Frame, now: Instant): void {
    this.#init.onFrame(frame, now);
    if (this.#isClosed) return;
    if (frame.type === "reset") this.#isAborted = true;
    this.#framesSinceAck += 1;
    // Until it is delivered, it is itself a later one that waits.
    this.#deliver(now);
    const isUrgent = frame.type === "probe" || frame.type === "end";
    this.#init.wantAck(isUrgent ? now : this.#acknowledgeAt(now));
  }

  #acknowledgeAt(now: Instant): Instant {
    const { ackEveryFrames } = this.#init.options;
    if (this.#framesSinceAck < ackEveryFrames) return now + this.#init.ackDelayMs();
    const stretch = this.hasGap ? ACK_STRETCH_GAP : ACK_STRETCH;
    if (this.#framesSinceAck >= stretch * ackEveryFrames) return now;
    return Math.max(now, this.#acknowledgedAt + ACK_DELAY_MS_MIN);
  }

  #deliver(now: Instant): void {
    for (;;) {
      if (this.#arrivals.isTorn) {
        this.#init.fail("CULVERT_PROTOCOL", "the peer's frames are of two sessions: an old state");
        return;
      }
      const frame = this.#arrivals.shift();
      if (frame === undefined) break;
      if (!this.#deliverFrame(frame)) return;
    }
    this.#advanceTaken(now);
    if (this.#isAborted) this.#init.fail("CULVERT_PEER_ABORTED", "the peer gave the stream up");
  }

  #deliverFrame(frame: Frame): boolean {
    // It may have come before the end did.
    if (this.#end !== undefined && frame.type !== "probe" && frame.type !== "reset") {
      this.#init.fail(
        "CULVERT_PROTOCOL",
        `the peer sealed a frame of type ${frame.type} after its end`,
      );
      return false;
    }
    const { offset, bytes } = this.#arrivals.deliver(contentOf(frame));
    if (bytes.length > 0) this.#init.effects.push({ kind: "deliver", offset, bytes });
    if (frame.type !== "end") return true;
    const length = finalLengthOf(frame);
    if (length !== this.#arrivals.offset) {
      this.#init.fail("CULVERT_PROTOCOL", "the peer's end does not tell the length of its stream");
      return false;
    }
    this.#end = { index: this.#arrivals.next - 1, length };
    this.#init.effects.push({ kind: "delivered-end", length });
    return true;
  }

  /** Moves over every frame whose last byte has been taken. */
  #advanceTaken(now: Instant): void {
    const before = this.#arrivals.taken;
    if (!this.#arrivals.advance()) return;
    this.#init.keys.advance(this.#arrivals.taken);
    this.#noteRoom(before, now);
  }

  /** The peer has to learn soon that it may go on after it could not. */
  #noteRoom(before: number, now: Instant): void {
    if (this.#arrivals.next - before >= this.#reach) this.#wasWithoutRoom = true;
    const isUrgent = this.#wasWithoutRoom || this.isEndTaken;
    if (isUrgent) this.#wasWithoutRoom = false;
    this.#init.wantAck(isUrgent ? now : now + this.#init.ackDelayMs());
  }
}
