import type { Priority } from "../contract.ts";
import type { StreamId } from "./mux-frames.ts";

/**
 * What one data frame costs besides its bytes, in credit: a peer that sends single bytes must not
 * make us keep many times its credit.
 */
const FRAME_CREDIT = 64;

/** What a data frame of `bytes` takes from the credit of its stream. */
export function creditCost(bytes: number): number {
  return bytes + FRAME_CREDIT;
}

/** How many bytes a data frame may have for `credit`. */
export function bytesFor(credit: number): number {
  return credit - FRAME_CREDIT;
}

/**
 * How many times as large a window becomes at once. Where packets get lost a wish for more takes
 * two round trips, in which a carrier that looks for its rate wants to send eight times as much;
 * where it finds nothing to send it takes that for the rate.
 */
const WIDENING = 16;

/** What a stream has to say beside its data; each is said once, however often it becomes true. */
export interface DueFrames {
  end: boolean;
  /** The code, while a reset has to be told. */
  reset: number | undefined;
}

/** One stream of a mux, as plain data: what was said on it, and what has to be said. */
export class MuxStream {
  readonly id: StreamId;
  readonly protocol: string;
  readonly priority: Priority;
  /** Whether this end opened it. */
  readonly isLocal: boolean;
  readonly due: DueFrames = { end: false, reset: undefined };

  /** What was written and not sent yet: the owner's bytes, in order. */
  readonly chunks: Uint8Array[] = [];
  /** How far into the first chunk sending has come. */
  chunkAt = 0;
  queuedBytes = 0;
  sendCredit: number;
  /** Whether the peer was told, since it gave credit last, that more is needed. */
  isBlockedTold = false;
  /** Whether `end`, or a reset, was told to the peer. */
  isEndSent = false;
  isResetSent = false;
  /** Whether the owner was told that the last write is sent. */
  isWriteOpen = false;

  /** What the peer may send before it is consumed. */
  window: number;
  /** What of that it has not used. */
  receiveCredit: number;
  /** What was received and not consumed. */
  unconsumed = 0;
  /** What was consumed and not granted again. */
  consumed = 0;
  /** What was consumed since the window grew last. */
  consumedOfWindow = 0;
  isPeerEnded = false;
  /** Whether the peer has said, since the window grew last, that it could send more. */
  isPeerBlocked = false;

  /** Whether it waits for its turn, among the streams of its class, and among those with credit. */
  isQueued = false;
  isCreditQueued = false;

  constructor(options: {
    readonly id: StreamId;
    readonly protocol: string;
    readonly priority: Priority;
    readonly isLocal: boolean;
    readonly sendWindow: number;
    readonly receiveWindow: number;
  }) {
    this.id = options.id;
    this.protocol = options.protocol;
    this.priority = options.priority;
    this.isLocal = options.isLocal;
    this.sendCredit = options.sendWindow;
    this.window = options.receiveWindow;
    this.receiveCredit = options.receiveWindow;
  }

  /** Whether there is anything to send now. */
  get isReady(): boolean {
    const { end, reset } = this.due;
    if (this.isResetSent) return false;
    if (reset !== undefined) return true;
    if (this.queuedBytes === 0) return end;
    return bytesFor(this.sendCredit) > 0 || !this.isBlockedTold;
  }

  /**
   * How much larger its window may become, where the link has `leftBytes` for all: at most as much
   * as others can have then. None while the reader does not keep up, or has not shown it since the
   * window grew last: the peer's wish may be older than that, and buffers take the first bytes.
   */
  widening(windowMax: number, leftBytes: number): number {
    const share = this.window / 4;
    const isKeepingUp = this.unconsumed <= share && this.consumedOfWindow >= share;
    const fair = Math.floor((this.window + leftBytes) / 2);
    return isKeepingUp ? Math.min(WIDENING * this.window, windowMax, fair) - this.window : 0;
  }

  /** Leaves to others what nothing will come for, as its peer has ended; returns how much. */
  shrink(): number {
    const idle = this.window - this.unconsumed;
    this.window = this.unconsumed;
    return idle;
  }

  /** Takes up to `bytesMax` of what was written, as views. */
  take(bytesMax: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let left = Math.min(bytesMax, this.queuedBytes);
    this.queuedBytes -= left;
    while (left > 0) {
      const chunk = this.chunks[0] as Uint8Array;
      const piece = chunk.subarray(this.chunkAt, this.chunkAt + left);
      pieces.push(piece);
      left -= piece.length;
      this.chunkAt += piece.length;
      if (this.chunkAt < chunk.length) break;
      this.chunks.shift();
      this.chunkAt = 0;
    }
    return pieces;
  }

  /** Forgets what was written. */
  discard(): void {
    this.chunks.length = 0;
    this.chunkAt = 0;
    this.queuedBytes = 0;
    this.due.end = false;
  }
}
