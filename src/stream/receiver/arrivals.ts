import { NumberMap } from "../../base/index.ts";
import type { Frame } from "../frame/frame.ts";

/** Frames with few bytes or none that may wait beyond those that there is room for. */
const SMALL_FRAMES_MAX = 128;

/** Where the reading of a direction stands. */
export interface ArrivalsStart {
  /** The next frame, and the offset of its first byte. */
  readonly next: number;
  readonly nextOffset: number;
  /** All bytes below this offset have been taken; it may lie within the next frame. */
  readonly takenOffset: number;
  /** What the next frame has to name as the one before it; unknown to who joined there. */
  readonly mark: number | undefined;
}

/** A frame and its own mark. */
interface Arrived {
  readonly frame: Frame;
  readonly mark: number;
}

/** Bytes for the application, and the position of the first one. */
export interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A frame that was delivered and not yet taken. */
interface Delivered {
  readonly index: number;
  readonly endOffset: number;
  readonly mark: number | undefined;
}

/** Frames on their way to the application, in order, once; and which of them it has taken. */
export class Arrivals {
  /** Frames that arrived before one below them. */
  readonly #early = new NumberMap<Arrived>();
  #delivered: Delivered[] = [];
  #deliveredFirst = 0;
  #next: number;
  #offset: number;
  #taken: number;
  #takenOffset: number;
  #takenFrameOffset: number;
  /** Of the last frame that was shifted, and of the last one that was taken. */
  #mark: number | undefined;
  #takenMark: number | undefined;
  /** Bytes of the next frame that an earlier session has taken. */
  #skipBytes: number;

  constructor(start: ArrivalsStart) {
    this.#next = start.next;
    this.#taken = start.next;
    this.#offset = start.nextOffset;
    this.#takenFrameOffset = start.nextOffset;
    this.#takenOffset = start.takenOffset;
    this.#skipBytes = start.takenOffset - start.nextOffset;
    this.#mark = start.mark;
    this.#takenMark = start.mark;
  }

  /** The next frame to deliver, and the offset of its first byte. */
  get next(): number {
    return this.#next;
  }

  get offset(): number {
    return this.#offset;
  }

  /** The lowest frame that has not been taken whole. */
  get taken(): number {
    return this.#taken;
  }

  get takenOffset(): number {
    return this.#takenOffset;
  }

  /**
   * The first frame that there is no room for where `framesMax` fit, of `frameBytes` each. Those
   * that wait for the application count by their bytes: a character of which it is not given a part
   * may have come in several frames, and with probes between them.
   */
  limit(framesMax: number, frameBytes: number): number {
    const waitingBytes = Math.max(this.#offset - this.#takenOffset, 0);
    const limit = this.#next + framesMax - Math.ceil(waitingBytes / frameBytes);
    return Math.min(limit, this.#taken + framesMax + SMALL_FRAMES_MAX);
  }

  /** Frames that wait for one below them. */
  get early(): Iterable<number> {
    return this.#early.keys();
  }

  /** Whether so many frames with bytes for the application wait for it; others count for none. */
  isWaiting(frames: number): boolean {
    let endOffset = this.#takenFrameOffset;
    let found = 0;
    for (let i = this.#deliveredFirst; i < this.#delivered.length && found < frames; i++) {
      const delivered = this.#delivered[i] as Delivered;
      if (delivered.endOffset > endOffset) found += 1;
      endOffset = delivered.endOffset;
    }
    return found >= frames;
  }

  get heldFrames(): number {
    return this.#early.size;
  }

  /** Whether the frame has arrived, now or before. */
  has(index: number): boolean {
    return index < this.#next || this.#early.has(index);
  }

  add(index: number, frame: Frame, mark: number): void {
    this.#early.set(index, { frame, mark });
  }

  /** The next frame is there, and names another one before it than was there: another session's. */
  get isTorn(): boolean {
    const next = this.#early.get(this.#next);
    return next !== undefined && this.#mark !== undefined && next.frame.previous !== this.#mark;
  }

  /** Takes the next frame in order, if it is there. */
  shift(): Frame | undefined {
    const arrived = this.#early.get(this.#next);
    if (arrived === undefined) return undefined;
    this.#early.delete(this.#next);
    this.#next += 1;
    this.#mark = arrived.mark;
    return arrived.frame;
  }

  /** Counts the content of the frame that was shifted last; gives what of it is new. */
  deliver(content: Uint8Array): Piece {
    const skipped = Math.min(this.#skipBytes, content.length);
    this.#skipBytes -= skipped;
    const offset = this.#offset + skipped;
    this.#offset += content.length;
    this.#noteDelivered();
    return { offset, bytes: content.subarray(skipped) };
  }

  /** Goes on at `index` without the frames before it. */
  skipTo(index: number): void {
    for (const early of this.#early.keys()) if (early < index) this.#early.delete(early);
    this.#next = index;
    // What was taken of the frame that comes next is passed over with the rest of it.
    this.#offset = Math.max(this.#offset, this.#takenOffset);
    this.#skipBytes = 0;
    this.#mark = undefined;
    this.#noteDelivered();
  }

  /** The application has taken all bytes below `offset`. */
  take(offset: number): void {
    if (offset > this.#takenOffset && offset <= this.#offset) this.#takenOffset = offset;
  }

  /** Moves over every frame whose last byte has been taken; false when there is none. */
  advance(): boolean {
    const before = this.#taken;
    for (;;) {
      const delivered = this.#delivered[this.#deliveredFirst];
      if (delivered === undefined || delivered.endOffset > this.#takenOffset) break;
      this.#taken = delivered.index + 1;
      this.#takenFrameOffset = delivered.endOffset;
      this.#takenMark = delivered.mark;
      this.#deliveredFirst += 1;
    }
    if (this.#deliveredFirst > 64 && this.#deliveredFirst * 2 > this.#delivered.length) {
      this.#delivered = this.#delivered.slice(this.#deliveredFirst);
      this.#deliveredFirst = 0;
    }
    return this.#taken > before;
  }

  /** Where another session would begin. */
  save(): ArrivalsStart {
    return {
      next: this.#taken,
      nextOffset: this.#takenFrameOffset,
      takenOffset: this.#takenOffset,
      mark: this.#takenMark,
    };
  }

  #noteDelivered(): void {
    const index = this.#next - 1;
    this.#delivered.push({ index, endOffset: this.#offset, mark: this.#mark });
  }
}
