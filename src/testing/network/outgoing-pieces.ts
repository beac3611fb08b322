import type { Instant } from "../../base/index.ts";
import type { Segment } from "./segment.ts";

/** A piece that was sent, or waits to be. */
export interface OutgoingPiece {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly isEnd: boolean;
  sentAt: Instant;
  isRepeated: boolean;
  isDue: boolean;
}

/** Bytes of a piece: what a packet of a network of 1,500 bytes carries. */
const PIECE_BYTES = 1_400;
const WINDOW_FIRST = 10;
const WINDOW_MAX = 512;
/** Over about so many pieces the share of repeated ones is told. */
const SHARE_PIECES = 200;
/** A piece is taken for lost when one that was sent so many later has been acknowledged. */
const OVERTAKEN_MAX = 3;

/** The sending half of a virtual connection: cuts, counts, repeats, and slows down on loss. */
export class OutgoingPieces {
  readonly #waiting: Uint8Array[] = [];
  /** In the order of their indexes. */
  readonly #underWay = new Map<number, OutgoingPiece>();
  #due: OutgoingPiece[] = [];
  #waitingBytes = 0;
  #underWayBytes = 0;
  #next = 0;
  #isEndAsked = false;
  #isEndCut = false;
  #roomBytes = PIECE_BYTES * WINDOW_FIRST;
  #window = WINDOW_FIRST;
  #repeatedShare = 0;
  #slowStartEnd = WINDOW_MAX;
  #recoverBelow = 0;
  /** Since when something has been under way without a pause. */
  busySince: Instant = 0;

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  get underWayBytes(): number {
    return this.#underWayBytes;
  }

  /** Which share of the last some hundred pieces were repeated ones. */
  get repeatedShare(): number {
    return this.#repeatedShare;
  }

  get hasEnd(): boolean {
    return this.#isEndAsked;
  }

  /** Whether all, the end included, was acknowledged. */
  get isDone(): boolean {
    return this.#isEndCut && this.#underWay.size === 0;
  }

  /** When the oldest piece under way was sent last. */
  get oldestSentAt(): Instant | undefined {
    for (const { sentAt } of this.#underWay.values()) return sentAt;
    return undefined;
  }

  write(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  end(): void {
    this.#isEndAsked = true;
  }

  /** What leaves now: what was lost first, then what the window and the reader have room for. */
  sendable(now: Instant): OutgoingPiece[] {
    if (this.#underWay.size === 0) this.busySince = now;
    const sent = this.#due.filter(({ index }) => this.#underWay.has(index));
    this.#due = [];
    for (let piece = this.#cut(); piece !== undefined; piece = this.#cut()) sent.push(piece);
    for (const piece of sent) {
      piece.sentAt = now;
      piece.isDue = false;
      this.#repeatedShare += (Number(piece.isRepeated) - this.#repeatedShare) / SHARE_PIECES;
    }
    return sent;
  }

  /**
   * @returns whether it says anything new, and the round trip that it shows, `undefined` when it
   *   shows none
   */
  acknowledge(
    ack: Extract<Segment, { kind: "ack" }>,
    now: Instant,
  ): { isNews: boolean; rttMs: number | undefined } {
    // Whoever had no room dropped what came: all of it has to come again.
    if (this.#roomBytes < PIECE_BYTES && ack.roomBytes >= PIECE_BYTES) this.#loseAll();
    this.#roomBytes = ack.roomBytes;
    const sizeBefore = this.#underWay.size;
    const acknowledged = this.#underWay.get(ack.index);
    this.#forget(ack.index, now);
    for (const index of this.#underWay.keys()) {
      if (index >= ack.below) break;
      this.#forget(index, now);
    }
    if (acknowledged !== undefined) this.#findOvertaken(acknowledged);
    const isSample = acknowledged !== undefined && !acknowledged.isRepeated;
    return {
      isNews: this.#underWay.size < sizeBefore,
      rttMs: isSample ? now - acknowledged.sentAt : undefined,
    };
  }

  /** Everything that was sent `rtoMs` before `now`, or earlier, is taken for lost. */
  timeout(now: Instant, rtoMs: number): void {
    let isLost = false;
    for (const piece of this.#underWay.values()) {
      // Added as the timer was: a difference could miss it by the last bit.
      if (piece.sentAt + rtoMs > now) continue;
      isLost = this.#lose(piece) || isLost;
    }
    if (!isLost) return;
    this.#slowStartEnd = Math.max(this.#window / 2, 2);
    this.#window = 2;
    this.#recoverBelow = this.#next;
  }

  #cut(): OutgoingPiece | undefined {
    if (this.#underWay.size >= this.#window) return undefined;
    // One piece is let through to a reader without room: repeated, it asks whether there is some.
    if (this.#underWayBytes + PIECE_BYTES > this.#roomBytes && this.#underWay.size > 0) {
      return undefined;
    }
    if (this.#isEndCut) return undefined;
    const bytes = this.#gather();
    const isEnd = this.#isEndAsked && this.#waiting.length === 0;
    if (bytes.length === 0 && !isEnd) return undefined;
    if (isEnd) this.#isEndCut = true;
    const piece = { index: this.#next, bytes, isEnd, sentAt: 0, isRepeated: false, isDue: false };
    this.#next += 1;
    this.#underWay.set(piece.index, piece);
    this.#underWayBytes += bytes.length;
    return piece;
  }

  #gather(): Uint8Array {
    const piece = new Uint8Array(Math.min(this.#waitingBytes, PIECE_BYTES));
    let length = 0;
    while (length < piece.length) {
      const [first] = this.#waiting;
      if (first === undefined) break;
      const taken = first.subarray(0, piece.length - length);
      piece.set(taken, length);
      length += taken.length;
      if (taken.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(taken.length);
    }
    this.#waitingBytes -= length;
    return piece;
  }

  #forget(index: number, now: Instant): void {
    const piece = this.#underWay.get(index);
    if (piece === undefined) return;
    this.#underWay.delete(index);
    this.#underWayBytes -= piece.bytes.length;
    this.busySince = now;
    const growth = this.#window < this.#slowStartEnd ? 1 : 1 / this.#window;
    this.#window = Math.min(this.#window + growth, WINDOW_MAX);
  }

  #findOvertaken(by: OutgoingPiece): void {
    for (const piece of this.#underWay.values()) {
      if (piece.index + OVERTAKEN_MAX > by.index) break;
      if (piece.sentAt > by.sentAt || !this.#lose(piece)) continue;
      if (piece.index < this.#recoverBelow) continue;
      this.#window = Math.max(this.#window / 2, 2);
      this.#slowStartEnd = this.#window;
      this.#recoverBelow = this.#next;
    }
  }

  #lose(piece: OutgoingPiece): boolean {
    if (piece.isDue) return false;
    piece.isDue = true;
    piece.isRepeated = true;
    this.#due.push(piece);
    return true;
  }

  #loseAll(): void {
    for (const piece of this.#underWay.values()) this.#lose(piece);
  }
}
