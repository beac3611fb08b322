import { type Clock, CulvertError, joinBytes, unreachable } from "../../base/index.ts";
import { afterReactions } from "../../io/defer.ts";
import { destroyOnAbort } from "../../io/destroy-on-abort.ts";
import { destroyOnError } from "../../io/destroy-on-error.ts";
import { SocketDuplex } from "../../io/socket-duplex.ts";
import type { Given } from "../../io/typed-events.ts";
import type { StreamProgress } from "../core/progress.ts";
import { failureOf } from "../exchange/failure.ts";
import type { StreamInput } from "../exchange/protocol.ts";
import { RESET_CODE_MAX } from "../frame/frame.ts";
import { inRange, wholeInRange } from "../options.ts";
import type { StreamParts } from "./assemble.ts";
import { CoreSession, LINGER_MS } from "./core-session.ts";
import type { StreamEngine, StreamEvent } from "./engine.ts";
import { type Callback, HeldCallback } from "./held-callback.ts";
import { HeldWrite } from "./held-write.ts";
import { duplexOptions, type StreamOpenOptions } from "./open-options.ts";
import { TakenBytes } from "./taken-bytes.ts";
import { WaitingBytes } from "./waiting-bytes.ts";

/**
 * A Duplex whose two sides are those of a stream core: what Node asks of a stream, in terms of the
 * core, and the stream's life from the first byte to the last background work.
 */
export abstract class CoreDuplex extends SocketDuplex {
  protected readonly session: CoreSession<StreamInput, StreamEvent>;
  protected readonly taken: TakenBytes;
  /** Whether our end was said, behind all that was written. */
  protected hasEnded = false;
  readonly #parts: StreamParts;
  readonly #waiting = new WaitingBytes(this);
  readonly #heldWrite: HeldWrite;
  readonly #heldFinal = new HeldCallback();
  readonly #lingerMs: number;
  readonly #endsAsSocket: boolean;
  #leftBytes = 0;
  /** What had been written to a stream that is destroyed: Node then forgets what it still had. */
  #writtenAtEnd: number | undefined;
  #isPeerEnded = false;
  #resetCode: number | undefined;

  protected constructor(parts: StreamParts, options: StreamOpenOptions) {
    super(duplexOptions(options));
    this.#parts = parts;
    this.#heldWrite = new HeldWrite(this, parts.core);
    this.#endsAsSocket = options.endsAsSocket ?? false;
    if (parts.past.isAborted) this.#resetCode = parts.past.resetCode ?? 0;
    this.#lingerMs = options.lingerMs ?? LINGER_MS;
    inRange("lingerMs", this.#lingerMs, 0, Number.MAX_SAFE_INTEGER);
    this.session = new CoreSession(parts, {
      event: (event) => this.#onEvent(event),
      turn: () => this.#onTurn(),
      broken: (error) => this.#fail(error),
    });
    this.taken = new TakenBytes({
      confirm: options.confirm,
      offset: parts.past.readOffset,
      waiting: () => this.#waiting.count,
      take: (offset, begun) => this.engine.handle({ kind: "taken", offset, begun }),
    });
    destroyOnError(this);
    this.once("finish", () => this.session.check());
    this.#repeatPast();
    if (options.autoStart !== false) afterReactions(() => this.start());
    destroyOnAbort(this, options.signal);
  }

  /** Bytes of the peer that were handed to this stream's reader, in all sessions. */
  get bytesRead(): number {
    return this.progress().deliveredBytes;
  }

  /** Bytes that were written to this stream, in all sessions; it may hold some, or drop them. */
  get bytesWritten(): number {
    return this.#writtenAtEnd ?? this.#heldWrite.writtenBytes;
  }

  protected get clock(): Clock {
    return this.#parts.clock;
  }

  /** What has become of the bytes, at this moment. */
  progress(): StreamProgress {
    return this.#parts.core.progress;
  }

  /** Starts the reader and the writer, after `autoStart: false`. Later calls do nothing. */
  start(): this {
    if (this.destroyed) return this;
    this.engine.start();
    if (this.#isPeerEnded) this.read(0);
    if (this.#parts.past.isAborted) this.destroy(new CulvertError("CULVERT_CLOSED"));
    return this;
  }

  /**
   * Stops reading and writing at once. Everything that was written, and what the application has
   * not read, is kept for `save`, or in the store.
   */
  async halt(): Promise<void> {
    if (!this.destroyed) {
      this.#takeOver();
      this.taken.look();
    }
    this.session.enter("halted");
    this.destroy();
    await this.session.shutDown();
  }

  protected setBackground(background: boolean): void {
    this.engine.setBackground(background);
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: Callback): void {
    this.#hand(chunk, callback);
  }

  override _writev(chunks: readonly { readonly chunk: Uint8Array }[], callback: Callback): void {
    const parts = chunks.map(({ chunk }) => chunk);
    this.#hand(joinBytes(parts), callback);
  }

  override _final(callback: Callback): void {
    this.#heldFinal.hold(callback);
    this.#end();
    // Some of Node's own go on to write to what they have ended, until this is called.
    if (this.#endsAsSocket) this.#heldFinal.release();
    else this.#settleFinal();
  }

  override _read(): void {
    this.taken.note();
  }

  override read(size?: number): Given {
    // Node goes on to give what is there; it is kept for the next session.
    const chunk: unknown = this.session.phase === "halted" ? null : super.read(size);
    this.taken.note();
    return chunk;
  }

  /**
   * Gives the stream up, and tells the peer. After `end` and without an error it does not: what was
   * written, and the end, still get through in the background, as those of a socket do. So they do
   * in any case with `endsAsSocket`, but after `reset`. `halt` leaves without a word.
   */
  override destroy(error?: Error): this {
    if (this.session.phase !== "running" || this.destroyed) return super.destroy(error);
    // Libraries give null where they have no error.
    const isWhole = this.#endsAsSocket || (this.writableEnded && !error);
    // A core that has not started tells nobody, though its peer may be waiting. An earlier
    // session's abort is told by `start`, with an error of its own.
    if (!isWhole || this.#resetCode !== undefined) this.engine.start();
    else {
      this.#takeOver();
      this.#end();
      this.start();
    }
    return super.destroy(error);
  }

  /**
   * As `destroy`, after `end` too: what the peer has not read yet is given up. The error of the
   * peer's end has the code, 0 to 65,535, as `detail.code`.
   */
  reset(code: number): this {
    wholeInRange("code", code, 0, RESET_CODE_MAX);
    this.#resetCode = code;
    if (this.destroyed && this.session.phase === "running") this.#abort();
    return this.destroy();
  }

  resetAndDestroy(): this {
    return this.reset(0);
  }

  override _destroy(error: Error | null, settle: Callback): void {
    const callback = this.closing(settle);
    this.stopIdleTimer();
    this.#writtenAtEnd = this.bytesWritten;
    const reason = error ?? this.ending;
    this.#heldWrite.release(reason);
    this.#heldFinal.release(reason);
    if (this.session.phase === "running") this.#leave(error);
    this.session.settle(error, callback);
  }

  /** What has ended the stream, of one that is destroyed. */
  get ending(): CulvertError {
    return this.session.ending;
  }

  protected get engine(): StreamEngine {
    return this.session.engine;
  }

  /** What earlier sessions have ended stays ended. */
  #repeatPast(): void {
    const { begun, isReadEnded, isWriteEnded, isDone } = this.#parts.past;
    for (const piece of begun) this.#deliver(piece);
    if (isReadEnded) this.#endReading();
    if (isWriteEnded) this.end();
    if (isDone) this.#finish();
  }

  /**
   * The chunk is the caller's until it is called back: what is in no frame by then is copied. A
   * core that is at work takes it later, and so a copy.
   */
  #hand(chunk: Uint8Array, callback: Callback): void {
    this.noteActivity();
    const bytes = this.engine.isBusy ? new Uint8Array(chunk) : chunk;
    this.engine.handle({ kind: "write", bytes });
    if (this.#parts.core.isFull && this.session.isWorking) {
      this.#heldWrite.hold(callback, bytes.length);
    } else {
      this.#parts.core.own();
      callback();
    }
  }

  /** Takes over what Node's side has buffered, so that nothing that was written is lost. */
  #takeOver(): void {
    this.#heldWrite.takeOver();
    if (this.writableEnded) this.#end();
  }

  #end(): void {
    this.hasEnded = true;
    this.engine.handle({ kind: "end" });
  }

  #onTurn(): void {
    if (!this.isIdleWatched) return;
    // A long chunk is on its way for a while: that is no idleness.
    const { framedBytes } = this.progress();
    if (framedBytes !== this.#leftBytes) this.noteActivity();
    this.#leftBytes = framedBytes;
  }

  #onEvent(event: StreamEvent): void {
    switch (event.kind) {
      case "deliver":
        this.#deliver(event.bytes);
        break;
      case "delivered-end":
        this.#endReading();
        break;
      case "drain":
        this.#heldWrite.release();
        break;
      case "all-stored":
        this.#settleFinal();
        break;
      case "all-acknowledged":
        this.#settleFinal();
        this.emit("acknowledged");
        break;
      case "warning":
        this.emit("warning", failureOf(event));
        break;
      case "fail":
        this.#fail(failureOf(event));
        break;
      case "done":
        this.#finish();
        break;
      default:
        unreachable(event);
    }
  }

  #deliver(bytes: Uint8Array): void {
    this.noteActivity();
    this.taken.delivered(bytes.length);
    if (!this.destroyed) this.#waiting.push(bytes);
    this.taken.note();
  }

  /** As with a socket, an end that nothing waits before is emitted though nobody reads. */
  #endReading(): void {
    this.#isPeerEnded = true;
    if (this.destroyed) return;
    this.push(null);
    if (this.engine.isStarted) this.read(0);
  }

  #settleFinal(): void {
    const { isAllStored, isAllAcknowledged } = this.progress();
    if (isAllStored || isAllAcknowledged) this.#heldFinal.release();
  }

  /** The stream is complete, or its abort has been told. */
  #finish(): void {
    this.session.enter("over");
    this.#settleFinal();
    if (this.destroyed) this.#stopInBackground();
    else if (this.readableEnded) this.destroy();
    else this.once("end", () => this.destroy());
  }

  #fail(error: CulvertError): void {
    if (!this.session.fail(error)) return;
    if (this.destroyed) this.#stopInBackground();
    else this.destroy(error);
  }

  /** Destroyed while the core is at work: it gives up, or gets its last frames through. */
  #leave(error: Error | null): void {
    const isEnded = this.hasEnded && this.engine.isStarted;
    const isForced = this.#resetCode !== undefined || (error !== null && !this.#endsAsSocket);
    const isGraceful = isEnded && !isForced;
    if (isGraceful) this.taken.takeAll();
    else this.#abort();
    if (!this.session.isWorking) return;
    this.session.linger(this.#lingerMs, () => {
      // A peer that is still writing would go on for ever; one that has not come yet may read all.
      const isHeard = this.taken.discardedBytes > 0 && !this.#isPeerEnded;
      if (isHeard && this.session.phase === "running") this.#abort();
      else this.#stopInBackground();
    });
  }

  #abort(): void {
    this.session.abort();
    this.engine.handle({ kind: "abort", code: this.#resetCode ?? 0 });
  }

  #stopInBackground(): void {
    this.session.shutDown().catch((error: unknown) => this.emit("warning", error));
  }
}
