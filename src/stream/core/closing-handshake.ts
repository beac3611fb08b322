import type { Instant } from "../../base/index.ts";

/** How often the last ack is put for a peer that does not answer. */
const LAST_ACKS_MAX = 4;

/** The first gap between two last acks, in RTOs; each one is twice as long. */
const FIRST_GAP_RTOS = 4;

/**
 * When a stream whose two ends were both taken may leave: what TIME_WAIT is to TCP. Each side puts
 * a last ack, on which it says that it knows so, until it hears the same from the other, or has put
 * enough of them for a peer that comes later to find one.
 */
export class ClosingHandshake {
  #isStarted = false;
  #acks = 0;
  #ackAt: Instant = Number.POSITIVE_INFINITY;
  #peerKnows = false;

  /** The peer knows that we have taken its end: no further ack is needed. */
  peerKnows(): void {
    this.#peerKnows = true;
  }

  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** Both directions are complete. */
  start(now: Instant): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#ackAt = now;
  }

  /** The stream is given up: no last ack is put. */
  stop(): void {
    this.#ackAt = Number.POSITIVE_INFINITY;
  }

  /** Whether a last ack has to be put now; it then counts as put. */
  takeDue(now: Instant, rtoMs: number): boolean {
    if (now < this.deadline()) return false;
    const gap = FIRST_GAP_RTOS * rtoMs * 2 ** this.#acks;
    this.#acks += 1;
    this.#ackAt = this.#acks < LAST_ACKS_MAX ? now + gap : Number.POSITIVE_INFINITY;
    return true;
  }

  /** Whether nothing is left to do once our last ack is stored. */
  get isOver(): boolean {
    if (!this.#isStarted || this.#acks === 0) return false;
    return this.#peerKnows || this.#acks >= LAST_ACKS_MAX;
  }

  deadline(): Instant {
    return this.#peerKnows && this.#acks > 0 ? Number.POSITIVE_INFINITY : this.#ackAt;
  }
}
