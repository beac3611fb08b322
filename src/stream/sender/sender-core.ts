import type { Instant } from "../../base/index.ts";
import { ReTx } from "../../retx/index.ts";
import type { Request } from "../exchange/exchange.ts";
import type { AcknowledgementVerdict, Hearing, SenderInit } from "../exchange/writer-init.ts";
import { FRAME_ID_BYTES } from "../frame/cell.ts";
import {
  type Acknowledgement,
  arrivedEnd,
  isSelected,
  payloadBytesMax,
  SELECTIVE_BITS,
} from "../frame/frame.ts";
import { Sealer } from "../frame/sealer.ts";
import type { LeftFrames, SenderState } from "../state.ts";
import { Claim } from "./claim.ts";
import { type FrameContent, Framer } from "./framer.ts";
import { Milestones } from "./milestones.ts";
import { FRAMES_BEYOND_LIMIT, INDEX_LIMIT, ProbeTimer } from "./probe-timer.ts";
import { receiptTimes } from "./refresh.ts";
import { frameName, UnacknowledgedFrames } from "./unacknowledged-frames.ts";

/** A stored frame that the reader still lacks after this many RTOs was lost by the Map. */
const DOUBT_RTOS = 8;

/**
 * The writing half of a stream: bytes in, sealed frames out, until they are acknowledged. At every
 * free place of the window it decides what to put: a frame again, or a new one.
 */
export class SenderCore {
  readonly #init: SenderInit;
  readonly #retx: ReTx;
  readonly #framer: Framer;
  readonly #sealer: Sealer;
  readonly #unacknowledged: UnacknowledgedFrames;
  readonly #probe: ProbeTimer;
  readonly #recalling = new Set<number>();
  readonly #claim: Claim;
  readonly #payloadMax: number;
  #acknowledgedBytes = 0;
  /** What an earlier session knew to be stored, unless that has left the Map. */
  #storedBefore = 0;
  #creditLimit: number | undefined;
  #endIndex: number | undefined;
  #resetIndex: number | undefined;
  #resetCode: number | undefined;
  #answerIndex = -1;
  #isAnswerAsked = false;
  #partialIndex = -1;
  #wasPutAgain = false;
  readonly milestones: Milestones;
  retransmissions = 0;
  noDelay: boolean;

  constructor(init: SenderInit, state?: SenderState) {
    this.#init = init;
    const { commits, options, cellBytes } = init;
    this.#unacknowledged = new UnacknowledgedFrames(commits, { ...options, cellBytes }, state);
    this.#probe = new ProbeTimer(options, init.exchange, state?.probes);
    this.noDelay = options.noDelay;
    this.#payloadMax = payloadBytesMax(cellBytes);
    this.#framer = new Framer({ ...init, ...options, payloadMax: this.#payloadMax }, state?.framer);
    this.#retx = new ReTx({ first: state?.base ?? 0 });
    this.#claim = new Claim(state?.next ?? 0, state !== undefined);
    this.#sealer = new Sealer(init, state?.mark);
    if (state !== undefined) this.#restore(state);
    this.milestones = new Milestones(init.effects, this.#framer.isEmpty && this.#retx.size === 0);
  }

  /** Bytes that are in frames: durable when the journal is. */
  get framedBytes(): number {
    return this.#framer.framedBytes;
  }

  get writtenBytes(): number {
    return this.#framer.writtenBytes;
  }

  get acknowledgedBytes(): number {
    return this.#acknowledgedBytes;
  }

  /** Bytes from the first on that were said to be in the Map, without a gap. */
  get storedBytes(): number {
    if (this.milestones.isAllStored) return this.framedBytes;
    const end = this.#unacknowledged.endOffset(this.#retx.storedBelow - 1);
    return Math.max(end, this.#acknowledgedBytes, this.#storedBefore);
  }

  /** Sealed frames that are held in memory. */
  get residentFrames(): number {
    return this.#unacknowledged.size;
  }

  get unacknowledgedFrames(): number {
    return this.#retx.size;
  }

  get isFull(): boolean {
    return this.#framer.isFull;
  }

  /** The reader has taken our end. */
  get isEndTaken(): boolean {
    return this.#endIndex !== undefined && this.#retx.base > this.#endIndex;
  }

  /** Our reset is in the Map, or was acknowledged. */
  get isResetStored(): boolean {
    const index = this.#resetIndex;
    if (index === undefined) return false;
    return index < this.#retx.base || this.#retx.state(index) === "stored";
  }

  /** Acks are wanted while something is unacknowledged. */
  get wantsAcknowledgements(): boolean {
    return this.#retx.size > 0;
  }

  /** An acknowledgement is due: an unread frame was sent since the reader was heard of. */
  get isAsking(): boolean {
    return this.#retx.size > 0 && this.#probe.isAsking;
  }

  earliestExpiry(): Instant {
    return this.#retx.earliestExpiry();
  }

  write(bytes: Uint8Array): void {
    this.#framer.write(bytes);
    this.milestones.more();
  }

  /** Copies what is left of what was written: its owner may change it. */
  own(): void {
    this.#framer.own();
  }

  end(): void {
    this.#framer.end();
    this.milestones.more();
  }

  /** Drops what was not sent and seals a reset, so that the peer learns of the abort. */
  abort(now: Instant, code: number): void {
    if (this.#resetCode !== undefined || this.isEndTaken) return;
    this.#framer.clear();
    this.#resetCode = code;
    this.#reset(now);
  }

  /** The peer has lost the trail of our acknowledgements: a frame of data tells where that is. */
  answer(): void {
    this.#isAnswerAsked = true;
  }

  /** Fills the free places of the window. */
  pump(now: Instant): void {
    // A place that has come free may be the only one: a probe comes before what else is due.
    this.timeout(now);
    this.#reset(now);
    if (this.#isAnswerAsked && this.#init.exchange.mayPut(now)) this.#answer(now);
    while (this.#init.exchange.mayPut(now)) {
      if (!this.#putOne(now)) break;
    }
    if (this.#framer.drain()) this.#init.effects.push({ kind: "drain" });
  }

  timeout(now: Instant): void {
    this.#retx.timeout(now);
    if (!this.#init.exchange.mayPut(now) || !this.#probe.expire(now)) return;
    if (this.#retx.size === 0 || this.#resetCode !== undefined) return;
    this.#retx.doubtSilent(this.#probe.unanswered, now);
    this.#sealProbe(now);
    this.#probe.arm(now);
  }

  deadline(now: Instant): Instant {
    const ready = this.#init.exchange.readyAt("put", now);
    const isDue = this.#isAnswerAsked || this.#retx.hasRetransmission(false);
    const work = isDue || this.#mayHaveNew() ? ready : Number.POSITIVE_INFINITY;
    return Math.min(work, this.#retx.deadline(), Math.max(this.#probe.deadline, ready));
  }

  onStored(request: Request, ttlSeconds: number, now: Instant): void {
    const { options, random } = this.#init;
    const receipt = { now, grantedSeconds: ttlSeconds, askedSeconds: options.ttlSeconds };
    this.#retx.stored(request.index, receiptTimes(receipt, random));
    if (this.#retx.puts(request.index) === 1) this.#unacknowledged.returned(request.index);
    this.#unacknowledged.stored(request.index);
    const told = this.#claim.stored(request.index);
    if (told !== undefined) this.onAcknowledgement(told, { newest: false, now, isStarved: false });
    if (!this.#probe.isArmed && this.#retx.size > 0) this.#probe.arm(now);
  }

  onLate(request: Request): void {
    this.#retx.suspect(request.index);
  }

  onRecalled(index: number, sealed: Uint8Array | undefined, now: Instant): boolean {
    if (!this.#recalling.delete(index)) return true;
    this.#init.exchange.releasePut();
    if (!this.#retx.has(index)) return true;
    if (sealed?.length !== FRAME_ID_BYTES + this.#init.cellBytes) return false;
    this.#init.exchange.reservePut(now);
    this.#put(index, sealed, now);
    return true;
  }

  /** Takes what the peer says about our frames. */
  onAcknowledgement(ack: Acknowledgement, heard: Hearing): AcknowledgementVerdict {
    const [{ newest, now }, retx] = [heard, this.#retx];
    this.#probe.heard(now);
    const end = arrivedEnd(ack);
    if (end > retx.next) return this.#claim.isProven ? "beyond-sent" : "not-ours";
    if (!this.#claim.covers(end)) {
      // Nobody says it again if the peer is through. Before our frame was put it was of another.
      if (retx.puts(this.#claim.first) > 0) this.#claim.keep(ack);
      return "taken";
    }
    if (ack.credit > 0) this.#creditLimit = Math.max(this.#creditLimit ?? 0, ack.next + ack.credit);
    if (retx.size === 0) return "taken"; // nothing is left that it could be about
    const dropped = retx.acknowledge(Math.max(ack.next, retx.base));
    const ends = dropped.map((index) => this.#unacknowledged.drop(index));
    this.#acknowledgedBytes = Math.max(this.#acknowledgedBytes, ends.at(-1) ?? 0);
    const arrived = (j: number): boolean => isSelected(ack.selective, j);
    // A reader whose gets are rationed lacks a frame for long before that means anything.
    const patienceMs = DOUBT_RTOS * this.#init.exchange.rto.rtoMs();
    const doubtMs = patienceMs + 4 * SELECTIVE_BITS * this.#init.options.paceMeanMs;
    if (heard.isStarved) retx.doubt(ack.next, now - patienceMs);
    const doubts = { newest, now, doubtMs };
    const selection = retx.select(ack.next, SELECTIVE_BITS, arrived, doubts);
    const arrivals = [...dropped, ...selection.newlySelected];
    if (newest && arrivals.length === 0) retx.doubtLacking(now - doubtMs);
    this.#probe.arrived(arrivals, retx.base, now);
    if (retx.size === 0) this.#probe.disarm();
    return "taken";
  }

  /** Reports once that everything is stored, and once that everything is acknowledged. */
  report(): void {
    const { unstored, size: unacknowledged } = this.#retx;
    const left = { unframed: !this.#framer.isEmpty, unstored, unacknowledged };
    if (!this.milestones.report(left)) return;
    this.#acknowledgedBytes = this.framedBytes;
    this.#init.commits.touch();
  }

  /** What survives; `whole`: with what waits for a frame. Unix time at the instant 0 is given. */
  save(unixOffsetMs: number, whole: boolean): SenderState {
    const { heldBelow, expiresAt } = this.#retx.storedRun();
    return {
      base: this.#retx.base,
      next: this.#retx.next,
      storedBelow: heldBelow,
      expiresUnixMs: expiresAt + unixOffsetMs,
      framer: whole ? this.#framer.save() : this.#framer.saveFramed(),
      acknowledgedBytes: this.#acknowledgedBytes,
      storedBytes: this.storedBytes,
      short: this.#unacknowledged.short,
      endIndex: this.#endIndex,
      resetIndex: this.#resetIndex,
      resetCode: this.#resetIndex === undefined ? undefined : this.#resetCode,
      creditLimit: this.#creditLimit,
      probes: this.#probe.save(),
      mark: this.#sealer.mark,
      chain: this.#init.keys.baseState(),
    };
  }

  /** What is in memory alone, by journal name: sealed frames, borrowed, and what waits for one. */
  residentByName(): Map<string, Uint8Array> {
    return new Map([...this.#unacknowledged.byName(), ...this.#framer.waiting()]);
  }

  /** Continues with an unknown outcome of every put that the last session had not finished. */
  resume(now: Instant, expiresAt: Instant | undefined, left: LeftFrames): void {
    if (expiresAt === undefined || expiresAt > now) this.#storedBefore = left.storedBytes;
    for (let index = this.#retx.base; index < this.#retx.next; index++) {
      if (index < left.storedBelow && expiresAt !== undefined && expiresAt > now) {
        const refreshAt = now + (expiresAt - now) * this.#init.random.unit();
        this.#retx.stored(index, { now, expiresAt, refreshAt });
      } else this.#retx.suspect(index);
    }
    if (this.#retx.size > 0) this.#probe.arm(now);
  }

  #restore(state: SenderState): void {
    for (let index = state.base; index < state.next; index++) this.#retx.add(index);
    this.#acknowledgedBytes = state.acknowledgedBytes;
    this.#endIndex = state.endIndex;
    this.#resetIndex = state.resetIndex;
    if (state.resetIndex !== undefined) this.#resetCode = state.resetCode ?? 0;
    this.#creditLimit = state.creditLimit;
  }

  #putOne(now: Instant): boolean {
    // Where puts are scarce, a frame whose receipt is overdue waits for the next acknowledgement,
    // unless it is known to be missing, or no acknowledgement is believed.
    const isScarce = this.#init.exchange.isPaced && this.#claim.isProven;
    // Where lives are so short that renewing them fills the window, what is new takes turns.
    const isNewDue = isScarce || (this.#wasPutAgain && this.#retx.hasOnlyRenewals);
    const index = this.#retx.nextRetransmission(isNewDue && this.#mayHaveNew());
    this.#wasPutAgain = index !== undefined;
    if (index === undefined) return this.#sealNext(now);
    this.#putAgain(index, now);
    return true;
  }

  #putAgain(index: number, now: Instant): void {
    this.retransmissions += 1;
    this.#init.exchange.reservePut(now);
    const sealed = this.#unacknowledged.get(index);
    if (sealed !== undefined) {
      this.#put(index, sealed, now);
    } else if (!this.#recalling.has(index)) {
      this.#recalling.add(index);
      this.#init.effects.push({ kind: "recall", name: frameName(index) });
    } else this.#init.exchange.releasePut();
  }

  #put(index: number, sealed: Uint8Array, now: Instant): void {
    this.#retx.sent(index, now);
    this.#init.exchange.put("data-put", index, sealed, now);
  }

  #mayHaveNew(): boolean {
    if (this.#resetCode !== undefined) return false;
    const { next } = this.#retx;
    // Probes that a reader cannot take before more has come must not keep that from it.
    if (next >= Math.min(this.#limit() + this.#probe.unread, INDEX_LIMIT)) return false;
    return this.#claim.allows(next) && this.#framer.hasFrame(next, this.#mayBePartial());
  }

  /** The first index beyond what may be unacknowledged, without probes. */
  #limit(): number {
    const limit = this.#retx.base + this.#init.options.unacknowledgedFramesMax;
    return Math.min(limit, this.#creditLimit ?? limit);
  }

  /** Nagle's rule as Minshall mended it: one small frame under way at a time. */
  #mayBePartial(): boolean {
    if (this.noDelay || this.#init.exchange.isPaced) return true;
    const state = this.#retx.state(this.#partialIndex);
    return state === undefined || state === "stored";
  }

  #sealNext(now: Instant): boolean {
    if (!this.#mayHaveNew()) return false;
    this.#init.exchange.reservePut(now);
    const content = this.#framer.take(this.#retx.next);
    if (content.type === "end") this.#endIndex = this.#retx.next;
    this.#seal(content);
    this.#probe.arm(now);
    return true;
  }

  /** A session whose places may be another one's waits for the proof that they are not. */
  #reset(now: Instant): void {
    if (this.#resetCode === undefined || this.#resetIndex !== undefined) return;
    if (!this.#claim.allows(this.#retx.next)) return;
    this.#resetIndex = this.#retx.next;
    this.#init.exchange.reservePut(now);
    this.#seal({ type: "reset", payload: new Uint8Array(0) });
  }

  /** One answer is enough until it is acknowledged. */
  #answer(now: Instant): void {
    this.#isAnswerAsked = false;
    if (this.#retx.has(this.#answerIndex) || this.#resetCode !== undefined) return;
    if (this.#retx.next === 0) {
      this.#init.exchange.reservePut(now);
      this.#seal(this.#framer.take(0));
    }
    this.#answerIndex = this.#retx.next;
    this.#sealProbe(now);
    this.#probe.arm(now);
  }

  #sealProbe(now: Instant): void {
    const beyond = this.#retx.next - this.#limit();
    if (beyond >= FRAMES_BEYOND_LIMIT - 1 || !this.#claim.allows(this.#retx.next)) return;
    this.#init.exchange.reservePut(now);
    this.#seal({ type: "probe", payload: this.#init.trail(now) });
  }

  /** Seals the next frame and puts it once it is durable; a place has been reserved. */
  #seal({ type, payload }: FrameContent): void {
    const index = this.#retx.next;
    const sealed = this.#unacknowledged.place(index);
    this.#sealer.seal(index, { type, payload }, this.#init.acknowledge(), sealed);
    this.#retx.add(index);
    this.#unacknowledged.noteEnd(index, this.framedBytes);
    if (type === "probe") this.#probe.sealed(index);
    if (type === "data" && payload.length < this.#payloadMax) this.#partialIndex = index;
    this.#init.commits.stage(frameName(index), sealed, (now) => {
      if (this.#retx.has(index)) this.#put(index, sealed, now);
      else this.#init.exchange.releasePut();
    });
  }
}
