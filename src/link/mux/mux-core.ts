import { assert, type Core, type Instant, isCulvertError } from "../../base/index.ts";
import { Reader } from "../../codec/index.ts";
import type { Priority } from "../contract.ts";
import type { LinkLimits } from "../limits.ts";
import { broken } from "./link-records.ts";
import { type MuxFrame, readFrame, type StreamId } from "./mux-frames.ts";
import type { MuxEffect, MuxInput, OpenRequest, PeerLimits } from "./mux-protocol.ts";
import { SendQueue } from "./mux-send-queue.ts";
import { creditCost, MuxStream } from "./mux-stream.ts";

/**
 * Pieces below this share of the memory that they lie in are copied out, so as not to keep all of
 * it: that is their record, or whatever a carrier put many packets into.
 */
const PINNED_SHARE = 4;

/**
 * Credit that is granted without waiting for more of it. Where packets get lost much of a window is
 * held up behind one of them, and half of it kept back would be missed.
 */
const CREDIT_EVERY_BYTES = 256 * 1_024;

/**
 * Many streams over one reliable, ordered sequence of records: opening and closing, credit, turns.
 *
 * Beside the contract of a core, {@link fill} gives the payload of the next record whenever the
 * owner has room for one: nothing is queued below, so that a small write is never behind a large
 * one. It has no timers.
 */
export class MuxCore implements Core<MuxInput, MuxEffect> {
  readonly #limits: LinkLimits;
  readonly #isInitiator: boolean;
  readonly #peer: PeerLimits;
  readonly #streams = new Map<StreamId, MuxStream>();
  readonly #queue = new SendQueue();
  readonly #effects: MuxEffect[] = [];
  readonly #waiting: OpenRequest[] = [];
  #nextId: StreamId;
  #newestPeerId: StreamId = -1;
  #localCount = 0;
  #windowsBytes = 0;
  #lateFrames = 0;
  #isOver = false;

  constructor(options: {
    readonly limits: LinkLimits;
    readonly isInitiator: boolean;
    readonly peer: PeerLimits;
  }) {
    this.#limits = options.limits;
    this.#isInitiator = options.isInitiator;
    this.#peer = options.peer;
    this.#nextId = options.isInitiator ? 0 : 1;
  }

  /** Streams that are open in any direction. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Frames that came for streams which were over here: a normal crossing, or a rude peer. */
  get lateFrames(): number {
    return this.#lateFrames;
  }

  /** Whether {@link fill} has something to give. */
  get isReady(): boolean {
    return !this.#queue.isEmpty;
  }

  handle(input: MuxInput, _now: Instant): void {
    if (this.#isOver) return;
    switch (input.kind) {
      case "open":
        this.#ask(input);
        break;
      case "cancel-open":
        this.#cancel(input.ticket);
        break;
      case "write":
        this.#write(input.id, input.chunks);
        break;
      case "end":
        this.#end(input.id);
        break;
      case "reset":
        this.#reset(input.id, input.code);
        break;
      case "consumed":
        this.#consume(input.id, input.credit);
        break;
      case "receive":
        this.#receive(input.payload);
        break;
    }
  }

  timeout(_now: Instant): void {}

  poll(): MuxEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return Number.POSITIVE_INFINITY;
  }

  /**
   * The payload of the next record, at most `bytesMax`, in memory that `allocate` gives;
   * `undefined` when nothing is to be sent. It has at least one whole frame. Poll afterwards.
   */
  fill(
    bytesMax: number,
    allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
  ): Uint8Array | undefined {
    if (this.#isOver) return undefined;
    const { payload, written, endSent, told } = this.#queue.fill(bytesMax, allocate);
    for (const stream of written) this.#effects.push({ kind: "written", id: stream.id });
    for (const stream of endSent) {
      this.#effects.push({ kind: "end-sent", id: stream.id });
      this.#forgetIfOver(stream);
    }
    for (const stream of told) this.#forget(stream);
    return payload;
  }

  #ask(request: OpenRequest): void {
    // Where the peer takes none at all, none will ever end for this one.
    const isHopeless = this.#isSpent || this.#streamsOutMax === 0;
    const mayWait = !isHopeless && this.#waiting.length < this.#limits.openingsWaitingMax;
    if (!this.#isSpent && this.#localCount < this.#streamsOutMax) this.#open(request);
    else if (mayWait) this.#waiting.push(request);
    else this.#refuse(request);
  }

  #refuse({ ticket }: OpenRequest): void {
    this.#effects.push({ kind: "open-refused", ticket });
  }

  #cancel(ticket: number): void {
    const at = this.#waiting.findIndex((request) => request.ticket === ticket);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  #open({ ticket, protocol, priority }: OpenRequest): void {
    const id = this.#nextId;
    this.#nextId += 2;
    this.#localCount += 1;
    const stream = this.#add({ id, protocol, priority, isLocal: true });
    this.#queue.pushOpening(stream);
    this.#effects.push({ kind: "opened", ticket, id, isLast: this.#isSpent });
    if (this.#isSpent) for (const request of this.#waiting.splice(0)) this.#refuse(request);
  }

  /** Whether every number that this end may give to streams has been given. */
  get #isSpent(): boolean {
    return this.#nextId >= 2 * this.#limits.streamsOpenedMax;
  }

  get #streamsOutMax(): number {
    return Math.min(this.#limits.streamsOutMax, this.#peer.streams);
  }

  #add(options: {
    readonly id: StreamId;
    readonly protocol: string;
    readonly priority: Priority;
    readonly isLocal: boolean;
  }): MuxStream {
    const receiveWindow = this.#limits.streamWindowBytes;
    this.#windowsBytes += receiveWindow;
    const stream = new MuxStream({
      ...options,
      sendWindow: this.#peer.streamWindow,
      receiveWindow,
    });
    this.#streams.set(stream.id, stream);
    return stream;
  }

  #write(id: StreamId, chunks: readonly Uint8Array[]): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.due.reset !== undefined) return;
    assert(!stream.due.end && !stream.isEndSent, "nothing is written after the end");
    for (const chunk of chunks) {
      if (chunk.length === 0) continue;
      stream.chunks.push(chunk);
      stream.queuedBytes += chunk.length;
    }
    if (stream.queuedBytes === 0) {
      this.#effects.push({ kind: "written", id });
      return;
    }
    stream.isWriteOpen = true;
    this.#queue.push(stream);
  }

  #end(id: StreamId): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.isEndSent || stream.due.reset !== undefined) return;
    stream.due.end = true;
    this.#queue.push(stream);
  }

  #reset(id: StreamId, code: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.due.reset !== undefined) return;
    stream.discard();
    stream.due.reset = code;
    this.#queue.push(stream);
  }

  #consume(id: StreamId, credit: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.unconsumed -= credit;
    stream.consumed += credit;
    stream.consumedOfWindow += credit;
    assert(stream.unconsumed >= 0, "no more is consumed than came");
    if (stream.isPeerEnded) this.#windowsBytes -= stream.shrink();
    if (stream.isPeerBlocked) this.#widen(stream);
    const dueFrom = Math.min(stream.window / 2, CREDIT_EVERY_BYTES);
    if (stream.consumed >= dueFrom) this.#queue.pushCredit(stream);
  }

  #receive(payload: Uint8Array): void {
    const reader = new Reader(payload);
    try {
      while (reader.remaining > 0) this.#receiveFrame(readFrame(reader));
    } catch (error) {
      if (!isCulvertError(error)) throw error;
      this.#isOver = true;
      this.#effects.push({ kind: "fail", error });
    }
  }

  #receiveFrame(frame: MuxFrame): void {
    if (frame.kind === "open") {
      this.#accept(frame);
      return;
    }
    const stream = this.#streams.get(frame.id);
    if (stream === undefined || stream.due.reset !== undefined) {
      this.#receiveLate(frame, stream);
      return;
    }
    switch (frame.kind) {
      case "data":
        this.#receiveData(stream, frame.bytes);
        break;
      case "end":
        if (stream.isPeerEnded) throw broken("a stream ended twice");
        stream.isPeerEnded = true;
        this.#windowsBytes -= stream.shrink();
        this.#effects.push({ kind: "ended", id: stream.id });
        this.#forgetIfOver(stream);
        break;
      case "reset":
        this.#effects.push({ kind: "reset", id: stream.id, code: frame.code });
        this.#forget(stream);
        break;
      case "credit":
        stream.sendCredit += frame.amount;
        if (stream.sendCredit > 2 ** 32) throw broken("more credit than can be used");
        stream.isBlockedTold = false;
        this.#queue.push(stream);
        break;
      case "blocked":
        stream.isPeerBlocked = true;
        this.#widen(stream);
        break;
    }
  }

  #accept(frame: MuxFrame & { readonly kind: "open" }): void {
    const isTheirs = frame.id % 2 === (this.#isInitiator ? 1 : 0);
    if (!isTheirs || frame.id <= this.#newestPeerId) throw broken("a stream's number is not new");
    this.#newestPeerId = frame.id;
    const peerCount = this.#streams.size - this.#localCount;
    if (peerCount >= this.#limits.streamsInMax) throw broken("more streams than were allowed");
    const { id, protocol, priority } = frame;
    this.#add({ id, protocol, priority, isLocal: false });
    this.#effects.push({ kind: "accept", id, protocol, priority });
  }

  /** A frame for a stream that is over here: it crossed our reset or end, or never was. */
  #receiveLate(frame: MuxFrame, stream: MuxStream | undefined): void {
    const isOurs = frame.id % 2 === (this.#isInitiator ? 0 : 1);
    const isKnown = isOurs ? frame.id < this.#nextId : frame.id <= this.#newestPeerId;
    if (!isKnown) throw broken("a frame for a stream that was never opened");
    this.#lateFrames += 1;
    if (stream === undefined) return;
    // After both ends the peer has forgotten it, and may open another one in its place.
    const isOver = frame.kind === "reset" || (frame.kind === "end" && stream.isEndSent);
    if (isOver) this.#forget(stream);
  }

  #receiveData(stream: MuxStream, bytes: Uint8Array): void {
    const cost = creditCost(bytes.length);
    if (stream.isPeerEnded) throw broken("data after the end of a stream");
    if (cost > stream.receiveCredit) throw broken("more data than there was credit for");
    stream.receiveCredit -= cost;
    stream.unconsumed += cost;
    const isSmall = bytes.length * PINNED_SHARE < bytes.buffer.byteLength;
    this.#effects.push({ kind: "data", id: stream.id, bytes: isSmall ? bytes.slice() : bytes });
  }

  /** The peer could send more: it gets a larger window while the reader keeps up. */
  #widen(stream: MuxStream): void {
    const { streamWindowBytesMax, linkWindowBytesMax } = this.#limits;
    const left = linkWindowBytesMax - this.#windowsBytes;
    const more = stream.widening(streamWindowBytesMax, left);
    if (more <= 0) return;
    stream.isPeerBlocked = false;
    stream.consumedOfWindow = 0;
    this.#windowsBytes += more;
    stream.consumed += more;
    stream.window += more;
    this.#queue.pushCredit(stream);
  }

  #forgetIfOver(stream: MuxStream): void {
    if (stream.isEndSent && stream.isPeerEnded) this.#forget(stream);
  }

  #forget(stream: MuxStream): void {
    if (!this.#streams.delete(stream.id)) return;
    this.#queue.remove(stream);
    this.#windowsBytes -= stream.window;
    if (!stream.isLocal) return;
    this.#localCount -= 1;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#open(next);
  }
}
