import { ERROR_CODES, type ErrorCode, type Instant } from "../../base/index.ts";
import type { AckReader } from "../acks/ack-reader.ts";
import type { AckWriter } from "../acks/ack-writer.ts";
import { isPut, type Request } from "../exchange/exchange.ts";
import { ABORT_RTOS, FrameCore } from "../exchange/frame-core.ts";
import type { GotInput, StreamOrder } from "../exchange/protocol.ts";
import {
  type AckContent,
  FLAG_ABORTED,
  FLAG_KNOWS_END_TAKEN,
  FLAG_STARVED,
  FLAG_TOOK_END,
  type Frame,
  isFull,
} from "../frame/frame.ts";
import { GAP, type ReceiverCore } from "../receiver/receiver-core.ts";
import { encodeState } from "../saved/state-codec.ts";
import { writeSeedOf } from "../secret.ts";
import { PROBES_REACH } from "../sender/probe-timer.ts";
import type { SenderCore } from "../sender/sender-core.ts";
import { type LeftFrames, leftBy, type StreamState } from "../state.ts";
import { ClosingHandshake } from "./closing-handshake.ts";
import { makeCoreParts, type StreamCoreInit } from "./core-parts.ts";
import { PeerTimeout } from "./peer-timeout.ts";
import { progressOf, type StreamProgress } from "./progress.ts";

/** One end of a stream between two peers: the sender, the receiver and the ack chain of each. */
export class StreamCore extends FrameCore<StreamOrder> {
  readonly #fixed: Pick<StreamState, "cellBytes" | "writeSeed" | "readRoot">;
  readonly #ttlMs: number;
  readonly #sender: SenderCore;
  readonly #receiver: ReceiverCore;
  readonly #ackWriter: AckWriter;
  readonly #ackReader: AckReader;
  readonly #closing = new ClosingHandshake();
  readonly #peerTimeout: PeerTimeout;
  readonly #left: LeftFrames | undefined;
  #abortUntil: Instant = Number.POSITIVE_INFINITY;
  #isAborting = false;
  #unixOffsetMs = 0;

  constructor(init: StreamCoreInit) {
    const { options, state, cellBytes, write, read } = init;
    super({ ...init, isOver: state?.isDone ?? false });
    this.#fixed = { cellBytes, writeSeed: writeSeedOf(write), readRoot: read.root };
    this.#ttlMs = options.ttlSeconds * 1_000;
    this.#left = state && leftBy(state);
    this.#peerTimeout = new PeerTimeout(options.peerTimeoutMs);
    const parts = makeCoreParts(init, this.io, {
      acknowledge: () => this.#acknowledge(),
      onFrame: (frame, newest, now) => this.#onFrame(frame, newest, now),
      warn: (code, message) => this.outcome.warn(code, message),
      fail: (code, message) => this.fail(code, message),
    });
    this.#sender = parts.sender;
    this.#receiver = parts.receiver;
    this.#ackWriter = parts.ackWriter;
    this.#ackReader = parts.ackReader;
  }

  /** Whether another `write` should wait for the `drain` effect. */
  get isFull(): boolean {
    return this.#sender.isFull;
  }

  /** Copies what is in no frame of what was written: until now it was borrowed. */
  own(): void {
    this.#sender.own();
  }

  /** Sends a small frame although another one is under way. */
  set noDelay(noDelay: boolean) {
    this.#sender.noDelay = noDelay;
  }

  /** Numbers about the stream now; cheap. */
  get progress(): StreamProgress {
    return progressOf({
      exchange: this.exchange,
      sender: this.#sender,
      receiver: this.#receiver,
      ackWriter: this.#ackWriter,
      peerHeardAt: this.#peerTimeout.heardAt,
    });
  }

  protected override onTimeout(now: Instant): void {
    this.#sender.timeout(now);
    if (now >= this.#abortUntil) this.outcome.finish(now);
    if (now >= this.#peerTimeout.deadline()) this.#giveUpWaiting();
  }

  protected override ownDeadline(now: Instant): Instant {
    return Math.min(
      this.#sender.deadline(now),
      this.#ackWriter.deadline(now),
      this.#ackReader.deadline(now),
      this.#receiver.deadline(now),
      this.#closing.deadline(),
      this.#abortUntil,
      this.#peerTimeout.deadline(),
    );
  }

  /** Everything but bytes; `whole`: what waits for a frame is counted. Holds secrets. */
  state(whole = true): StreamState {
    return {
      ...this.#fixed,
      sender: this.#sender.save(this.#unixOffsetMs, whole),
      receiver: this.#receiver.save(),
      ackWriter: this.#ackWriter.save(),
      ackReader: this.#ackReader.save(),
      isDone: this.isOver,
    };
  }

  override encodedState(): Uint8Array {
    return encodeState(this.state());
  }

  protected override head(): Uint8Array {
    return encodeState(this.state(false));
  }

  override residentFrames(): Map<string, Uint8Array> {
    const halves = [this.#sender, this.#receiver, this.#ackWriter];
    return new Map(halves.flatMap((half) => [...half.residentByName()]));
  }

  protected override obey(order: StreamOrder, now: Instant): void {
    switch (order.kind) {
      case "write":
        this.#sender.write(order.bytes);
        break;
      case "end":
        this.#sender.end();
        break;
      case "abort":
        this.#abort(order.code ?? 0, now);
        break;
      case "taken":
        this.#receiver.take(order, now);
        break;
    }
  }

  protected override begin(unixMs: number, now: Instant): void {
    this.#unixOffsetMs = unixMs - now;
    if (this.#left === undefined) return;
    const { base, storedBelow, expiresUnixMs } = this.#left;
    // Nothing lives longer than was asked for, whatever the wall clock says by now. Without a
    // receipt it is only known that its reader had it.
    const isKnown = Number.isFinite(expiresUnixMs);
    const known = Math.min(expiresUnixMs - this.#unixOffsetMs, now + this.#ttlMs);
    const expiresAt = isKnown ? known : undefined;
    if (storedBelow > base && isKnown && known <= now) {
      this.outcome.warn("CULVERT_DATA_EXPIRED", "unread data has left the Map; it is put again");
    }
    this.#sender.resume(now, expiresAt, this.#left);
    // A restored backup meets its own ack already there, and learns that it is one.
    this.#ackWriter.want(now);
  }

  protected override settle(now: Instant): void {
    if (this.#isComplete) this.#closing.start(now);
    this.#call(now);
    this.#ackWriter.pump(now);
    this.#sender.pump(now);
    this.#receiver.pumpLikely(now);
    this.#listen(now);
    this.#receiver.pump(now);
    // The question that was just asked may have been one too many in vain.
    this.#listen(now);
    this.commits.flush(now);
    this.#sender.report();
    this.#depart(now);
    this.commits.flush(now);
    // The peer owes an acknowledgement, or its bytes and its end.
    this.#peerTimeout.expect(this.#sender.isAsking || this.#receiver.isExpecting, now);
  }

  /**
   * A peer that gives up says so behind frames that we may never see, and on its ack chain: whoever
   * waits long listens there, although nothing of ours is unacknowledged.
   */
  #listen(now: Instant): void {
    this.#ackReader.isOpen =
      this.#sender.wantsAcknowledgements || this.#closing.isStarted || this.#receiver.isStuck;
    this.#ackReader.pump(now);
  }

  /**
   * A new reader that finds nothing says so: a writer that waits for long asks but once a day, and
   * what the Map has lost would wait as long.
   */
  #call(now: Instant): void {
    if (this.#ackWriter.next > 0 || this.#peerTimeout.heardAt !== undefined) return;
    if (this.#receiver.isStuck && !this.#sender.wantsAcknowledgements) this.#ackWriter.want(now);
  }

  /** Both ends were taken. */
  get #isComplete(): boolean {
    return this.#sender.isEndTaken && this.#receiver.isEndTaken && !this.#isAborting;
  }

  /** Leaves once the stream is complete and the peer knows it, or an abort has been told. */
  #depart(now: Instant): void {
    if (this.#isAborting) {
      // Once our end was taken there is nothing to take back.
      const isTold = this.#sender.isResetStored || this.#sender.isEndTaken;
      if (isTold && this.#ackWriter.isSettled) this.outcome.finish(now);
      return;
    }
    if (this.#closing.takeDue(now, this.exchange.rto.rtoMs())) {
      this.#ackWriter.want(now);
      this.#ackWriter.pump(now);
    }
    if (this.#closing.isOver && this.#ackWriter.isSettled) this.outcome.finish(now);
  }

  #abort(code: number, now: Instant): void {
    if (this.#isAborting) return;
    this.#isAborting = true;
    this.#closing.stop();
    this.#receiver.close(code);
    if (!this.isStarted) {
      this.outcome.finish(now);
      return;
    }
    // A Map that asked for a pause does not hear of the abort before that is over.
    const readyAt = this.exchange.readyAt("put", now);
    const from = readyAt === Number.POSITIVE_INFINITY ? now : readyAt;
    this.#abortUntil = from + ABORT_RTOS * this.exchange.rto.rtoMs();
    this.#sender.abort(now, code);
    this.#ackWriter.want(now);
  }

  #giveUpWaiting(): void {
    if (this.#receiver.hasGap) this.fail("CULVERT_DATA_EXPIRED", GAP);
    else this.fail("CULVERT_PEER_TIMEOUT");
  }

  protected override fail(
    code: ErrorCode,
    message: string = ERROR_CODES[code],
    detail?: { readonly code: number },
  ): void {
    if (this.isOver) return;
    this.#receiver.close();
    this.outcome.fail(code, message, detail);
  }

  #acknowledge(): AckContent {
    this.#receiver.acknowledged(this.now);
    this.#ackWriter.satisfied();
    let flags = 0;
    if (this.#receiver.isEndTaken) flags |= FLAG_TOOK_END;
    if (this.#sender.isEndTaken) flags |= FLAG_KNOWS_END_TAKEN;
    if (this.#isAborting) flags |= FLAG_ABORTED;
    if (this.#receiver.isStarved) flags |= FLAG_STARVED;
    return { acknowledgement: this.#receiver.acknowledgement(), flags };
  }

  #onFrame({ acknowledgement, flags }: Frame, newest: boolean, now: Instant): void {
    const isFarAhead = this.#sender.unacknowledgedFrames > PROBES_REACH;
    this.#peerTimeout.heard(now, isFarAhead && isFull(acknowledgement));
    const isStarved = (flags & FLAG_STARVED) !== 0;
    const verdict = this.#sender.onAcknowledgement(acknowledgement, { newest, now, isStarved });
    if (verdict === "not-ours") {
      this.#onConflict();
      return;
    }
    if (verdict === "beyond-sent") {
      this.fail("CULVERT_PROTOCOL", "the peer acknowledges what was never sent");
      return;
    }
    if ((flags & FLAG_KNOWS_END_TAKEN) !== 0) this.#closing.peerKnows();
    if ((flags & FLAG_ABORTED) !== 0) {
      const code = acknowledgement.credit; // of who has no room any more
      this.fail("CULVERT_PEER_ABORTED", "the peer gave the stream up", { code });
    }
  }

  protected override onStored(
    request: Request | undefined,
    ttlSeconds: number,
    now: Instant,
  ): void {
    if (request?.purpose === "data-put") this.#sender.onStored(request, ttlSeconds, now);
    if (request?.purpose === "ack-put") this.#ackWriter.onStored(request);
  }

  protected override onGot(request: Request | undefined, got: GotInput, now: Instant): void {
    if (request?.purpose === "data-get") this.#receiver.onGot(request, got, now);
    if (request?.purpose === "ack-get") this.#ackReader.onGot(request, got.cell, now);
  }

  protected override onFailed(request: Request, code: ErrorCode, now: Instant): void {
    // Said of a get it is nonsense, and whoever says so ends no stream by it.
    if (code === "CULVERT_CONFLICT" && isPut(request)) {
      this.#onConflict();
      return;
    }
    // Of a put, so is that nothing is there: nobody would have waited for it.
    if (code !== "CULVERT_NOT_FOUND" || isPut(request)) {
      this.outcome.setback(code);
      this.exchange.pause(code, now);
    }
    if (request.purpose === "data-get") this.#receiver.onFailed(request, now);
    else if (request.purpose === "ack-get") this.#ackReader.onFailed(request, now);
    else this.onLate(request);
  }

  #onConflict(): void {
    if (this.#left === undefined) this.fail("CULVERT_SECRET_USED");
    else this.fail("CULVERT_STALE_STATE", "an address of this state is taken");
  }

  protected override onLate(request: Request): void {
    switch (request.purpose) {
      case "data-put":
        this.#sender.onLate(request);
        break;
      case "ack-put":
        this.#ackWriter.onLate(request);
        break;
      case "data-get":
        this.#receiver.onLate(request);
        break;
      case "ack-get":
        this.#ackReader.onLate(request);
        break;
    }
  }

  protected override onRecalled(
    name: string,
    bytes: Uint8Array | undefined,
    now: Instant,
  ): boolean {
    const writer = name.startsWith("d") ? this.#sender : this.#ackWriter;
    return writer.onRecalled(Number(name.slice(1)), bytes, now);
  }
}
