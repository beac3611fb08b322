import { type Cancel, type Clock, CulvertError } from "../../base/index.ts";
import { nodeIdText } from "../../identity/index.ts";
import { apart, defer } from "../../io/defer.ts";
import { SocketDuplex } from "../../io/socket-duplex.ts";
import type { Link, LinkStream, Priority } from "../contract.ts";
import type { StreamId } from "../mux/mux-frames.ts";
import { creditCost } from "../mux/mux-stream.ts";

type Callback = (error?: Error | null) => void;

/** Codes of resets that are not a protocol's own. */
export const RESET = { cancelled: 0xff00, refused: 0xff01, failed: 0xff02 } as const;

const OWN_CODE_MAX = 0xfeff;

/**
 * What Node buffers on either side of a stream. The window says what may come; a buffer of the same
 * size, as newer versions of Node have it, would take a whole one from whoever reads nothing, which
 * looks like a reader that keeps up.
 */
const BUFFER_BYTES = 16_384;

/** What a peer may still send on a stream that was left in good order, before it is reset. */
const DISCARD_BYTES_MAX = 65_536;

/**
 * What may be written for nobody while the end of a stream that was given up is not read: as much
 * as a peer that reads nothing would let come. Then whoever writes has to hear of it.
 */
const DROPPED_BYTES_MAX = 8 * 2 ** 20;

/** How long what was written to a stream that `endsAsSocket` may take to leave once it is left. */
const LINGER_MS = 60_000;

/** What a stream needs of its link. */
export interface StreamPort {
  readonly clock: Clock;
  /** How long a peer may take to end a stream that was left in good order, before it is reset. */
  readonly leftMs: number;
  write(id: StreamId, chunks: readonly Uint8Array[]): void;
  end(id: StreamId): void;
  reset(id: StreamId, code: number): void;
  consumed(id: StreamId, credit: number): void;
  /** Nothing has to be told to the stream any more. */
  release(id: StreamId): void;
}

/** What a stream is made from. */
export interface CoreLinkStreamOptions {
  readonly id: StreamId;
  readonly protocol: string;
  readonly priority: Priority;
  readonly link: Link;
  readonly localId: Uint8Array;
  readonly port: StreamPort;
}

/** A stream of a link as a Node Duplex: what Node asks, in terms of the mux. */
export class CoreLinkStream extends SocketDuplex implements LinkStream {
  readonly protocol: string;
  readonly priority: Priority;
  readonly link: Link;
  readonly localAddress: string;
  readonly remoteAddress: string;
  endsAsSocket = false;
  readonly #id: StreamId;
  readonly #isIncoming: boolean;
  readonly #port: StreamPort;
  /** What came and was not passed on: the peer has no credit for more. */
  readonly #arrived: Uint8Array[] = [];
  #isReading = false;
  #wasReadFrom = false;
  #hasPeerEnded = false;
  #isPeerEndPassedOn = false;
  #writeDone: Callback | undefined;
  #endDone: Callback | undefined;
  #isEndSaid = false;
  #isEndSent = false;
  /** Set when the peer, or the link, took the stream away. */
  #failure: CulvertError | undefined;
  #resetCode: number = RESET.cancelled;
  #discardedBytes = 0;
  #droppedBytes = 0;
  #cancelLeft: Cancel = () => {};
  #bytesRead = 0;
  #bytesWritten = 0;
  /** Those of the write that is under way, which Node counts as waiting. */
  #handedBytes = 0;
  /** Whether that write is a copy: the caller may have its bytes back before they have left. */
  #isHandedOwn = false;

  constructor(options: CoreLinkStreamOptions) {
    const { id, protocol, priority, link, localId, port } = options;
    super({ allowHalfOpen: true, highWaterMark: BUFFER_BYTES });
    this.#id = id;
    this.#isIncoming = id % 2 === (link.isInitiator ? 1 : 0);
    this.protocol = protocol;
    this.priority = priority;
    this.link = link;
    this.#port = port;
    this.localAddress = nodeIdText(localId);
    this.remoteAddress = nodeIdText(link.peer);
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get bytesWritten(): number {
    return this.#bytesWritten + this.writableLength - this.#handedBytes;
  }

  protected get clock(): Clock {
    return this.#port.clock;
  }

  /** Does nothing: small writes leave at once in any case. */
  setNoDelay(_noDelay?: boolean): this {
    return this;
  }

  reset(code: number): void {
    if (!(Number.isInteger(code) && code >= 0 && code <= OWN_CODE_MAX)) {
      throw new RangeError(`a reset code is a whole number up to ${OWN_CODE_MAX}`);
    }
    // One that was left can still be given up with a code.
    if (this.destroyed) this.#giveUp(code);
    this.#resetCode = code;
    this.destroy();
  }

  resetAndDestroy(): this {
    this.reset(0);
    return this;
  }

  /** Gives the stream up with one of the codes that are not a protocol's. */
  refuse(code: number): void {
    this.#resetCode = code;
    this.destroy();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: Callback): void {
    this.#hand([chunk], callback);
  }

  override _writev(chunks: readonly { readonly chunk: Uint8Array }[], callback: Callback): void {
    this.#hand(
      chunks.map(({ chunk }) => chunk),
      callback,
    );
  }

  override _final(callback: Callback): void {
    this.#endDone = callback;
    this.#lookForEnd();
    if (this.#failure !== undefined) this.#failWrites(this.#failure);
    else {
      this.#sayEnd();
      // Some of Node's own go on to write to what they have ended, until this is called.
      if (this.endsAsSocket) this.#ended();
    }
  }

  override _read(): void {
    this.#isReading = true;
    this.#wasReadFrom = true;
    this.#passOn();
  }

  /** With `endsAsSocket` what was written still gets through, and an end, as those of a socket. */
  override destroy(error?: Error): this {
    const isWhole = this.endsAsSocket && this.#resetCode === RESET.cancelled;
    if (isWhole && !this.destroyed && this.#failure === undefined) {
      this.#handBuffered();
      this.#sayEnd();
    }
    return super.destroy(error);
  }

  override _destroy(error: Error | null, callback: Callback): void {
    this.stopIdleTimer();
    const isEnded = this.endsAsSocket ? this.#isEndSaid : this.#isEndSent && error === null;
    const isLeft = isEnded && this.#resetCode === RESET.cancelled;
    const isOver = this.#failure !== undefined || (this.#isEndSent && this.#hasPeerEnded);
    // As a socket that was closed after its end: the peer is not told that anything went wrong.
    if (isLeft && !isOver) this.#leave();
    else {
      if (!isOver) this.#port.reset(this.#id, this.#resetCode);
      this.#release();
    }
    this.#arrived.length = 0;
    const reason = error ?? this.#failure ?? new CulvertError("CULVERT_CLOSED");
    this.#settle(isLeft && this.#isHandedOwn ? undefined : reason);
    this.closing(callback)(error);
  }

  /** Data of the peer, handed over. */
  deliver(bytes: Uint8Array): void {
    this.#arrived.push(bytes);
    if (this.destroyed) {
      this.#discardArrived();
      return;
    }
    this.noteActivity();
    if (this.#isReading) this.#passOn();
  }

  /** The peer ended its side. */
  deliverEnd(): void {
    this.#hasPeerEnded = true;
    this.#releaseIfOver();
    if (!this.destroyed) this.#passOn();
  }

  /** All that was written is on its way, or kept to be repeated. */
  written(): void {
    const done = this.#writeDone;
    this.#writeDone = undefined;
    this.#handedBytes = 0;
    done?.();
  }

  endSent(): void {
    this.#isEndSent = true;
    this.#releaseIfOver();
    this.#ended();
    if (this.destroyed && !this.#hasPeerEnded) this.#leave();
    // Who has waited for the end may begin to read now.
    if (this.#isIncoming) defer(() => this.#isNeverRead && this.destroy());
  }

  /** The peer gave the stream up, or the link is over. */
  fail(error: CulvertError): void {
    this.#release();
    if (this.destroyed || this.#failure !== undefined) return;
    this.#failure = error;
    // What the peer had sent before it ended is still good; only writing has become pointless.
    if (this.#hasPeerEnded && !this.readableEnded) {
      this.#failWrites(error);
      this.once("end", () => this.destroy(this.#isEndSent ? undefined : error));
    } else if (this.#hasPeerEnded && (this.#isEndSent || this.#isUntouched)) this.destroy();
    else this.destroy(error);
  }

  protected setBackground(): void {
    // The link's timers never keep the process alive, its sockets do.
  }

  #hand(chunks: Uint8Array[], callback: Callback): void {
    this.noteActivity();
    this.#writeDone = callback;
    if (this.#failure !== undefined) {
      for (const chunk of chunks) this.#droppedBytes += chunk.length;
      this.#failWrites(this.#failure);
      return;
    }
    for (const chunk of chunks) this.#handedBytes += chunk.length;
    this.#bytesWritten += this.#handedBytes;
    this.#isHandedOwn = this.endsAsSocket;
    const own = this.#isHandedOwn ? chunks.map((chunk) => new Uint8Array(chunk)) : chunks;
    this.#port.write(this.#id, own);
  }

  /** Takes over what Node's side has buffered by now; what that has somebody write is not. */
  #handBuffered(): void {
    while (this.writableCorked > 0) this.uncork();
    if (!this.#isHandedOwn) return;
    const all = this.bytesWritten;
    while (this.#writeDone !== undefined && this.#bytesWritten < all) this.written();
  }

  #sayEnd(): void {
    if (this.#isEndSaid) return;
    this.#isEndSaid = true;
    this.#port.end(this.#id);
  }

  #ended(): void {
    const done = this.#endDone;
    this.#endDone = undefined;
    done?.();
  }

  /** Whether a handler has done nothing with it: nobody there has to hear that it failed. */
  get #isUntouched(): boolean {
    return this.#isIncoming && this.#isNeverRead && this.#bytesWritten === 0;
  }

  /** Whether nobody has read, nor said with `pause` that this is for later. */
  get #isNeverRead(): boolean {
    return !this.#wasReadFrom && this.readableFlowing === null;
  }

  /** What was written may leave, and then the peer end the stream, each for a while. */
  #leave(): void {
    const { clock, leftMs } = this.#port;
    const at = clock.now() + (this.#isEndSent ? leftMs : LINGER_MS);
    this.#cancelLeft();
    this.#cancelLeft = clock.schedule(at, () => this.#giveUp(RESET.cancelled), {
      background: true,
    });
    this.#discardArrived();
  }

  /** Nobody reads any more: the peer gets its credit back, up to a point. */
  #discardArrived(): void {
    for (const bytes of this.#arrived.splice(0)) {
      this.#discardedBytes += bytes.length;
      this.#port.consumed(this.#id, creditCost(bytes.length));
    }
    if (this.#discardedBytes > DISCARD_BYTES_MAX) this.#giveUp(RESET.cancelled);
  }

  #giveUp(code: number): void {
    this.#port.reset(this.#id, code);
    this.#release();
  }

  /** The link forgets the stream as its peer does: what has not been read lies here. */
  #releaseIfOver(): void {
    if (this.#hasPeerEnded && this.#isEndSent) this.#release();
  }

  #release(): void {
    this.#cancelLeft();
    this.#port.release(this.#id);
  }

  #passOn(): void {
    while (this.#isReading && this.#arrived.length > 0) {
      const bytes = this.#arrived.shift() as Uint8Array;
      this.#bytesRead += bytes.length;
      this.#droppedBytes = 0;
      // Node's side may ask for more at once: it has to see the rest first.
      apart(() => {
        this.#isReading = this.push(bytes);
      });
      // Also of a stream that is left there: the peer may have more to say than it has credit.
      this.#port.consumed(this.#id, creditCost(bytes.length));
      if (this.destroyed) return;
    }
    if (this.#arrived.length > 0 || !this.#hasPeerEnded || this.#isPeerEndPassedOn) return;
    this.#isPeerEndPassedOn = true;
    this.push(null);
    // Nobody may ever ask for it, and it has to close; who has paused may put something back first.
    if (this.#isNeverRead) this.read(0);
    else this.#lookForEnd();
  }

  /** Who has ended, too, and reads no more, as behind an `unpipe`, hears of the peer's end. */
  #lookForEnd(): void {
    if (!this.#isPeerEndPassedOn || this.readableEnded) return;
    defer(() => {
      if (this.writableEnded && this.readableLength === 0 && !this.destroyed) this.read(0);
    });
  }

  /**
   * With the first error Node drops what was not read. Where somebody may read it, what is written
   * goes nowhere instead, as into a socket whose peer is gone, and the error comes after the end.
   */
  #failWrites(error: CulvertError): void {
    const isUnread = this.#arrived.length + this.readableLength > 0;
    const isForNobody =
      (this.#isIncoming && this.#isNeverRead) || this.#droppedBytes > DROPPED_BYTES_MAX;
    if (isUnread && !isForNobody) defer(() => this.#settle());
    // Somebody who reads gets the end too, which is told a little later.
    else if (this.readableFlowing !== true) this.#settle(error);
  }

  #settle(reason?: Error): void {
    const waiting = [this.#writeDone, this.#endDone];
    this.#handedBytes = 0;
    this.#writeDone = undefined;
    this.#endDone = undefined;
    for (const callback of waiting) apart(() => callback?.(reason));
  }
}

/** What a stream that the peer gave up fails with. */
export function resetError(code: number): CulvertError {
  const options = { remote: true, detail: { code } };
  switch (code) {
    case RESET.refused:
      return new CulvertError("CULVERT_REFUSED", "the peer does not take such streams", options);
    case RESET.failed:
      return new CulvertError("CULVERT_PEER_ABORTED", "the peer's handler failed", options);
    default:
      return new CulvertError("CULVERT_PEER_ABORTED", "the peer gave the stream up", options);
  }
}
