import type { Instant } from "../base/index.ts";

/** How often the last word is said to a peer that does not answer. */
const LAST_WORDS_MAX = 4;

/** The first gap between two last words, in RTOs; each one is twice as long. */
const FIRST_GAP_RTOS = 2;

/**
 * When a stream that is complete may leave. Both ends were taken; each side tells that it knows so
 * until it hears the same from the other, or has said it often enough for a peer that comes later.
 */
export class Departure {
  #isStarted = false;
  #said = 0;
  #sayAt: Instant = Number.POSITIVE_INFINITY;
  #peerKnows = false;

  /** The peer knows that we have taken its end: nothing more has to be said. */
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
    this.#sayAt = now;
  }

  /** The stream is given up: nothing more is said. */
  stop(): void {
    this.#sayAt = Number.POSITIVE_INFINITY;
  }

  /** Whether a last word has to be put now. */
  speak(now: Instant, rtoMs: number): boolean {
    if (now < this.deadline()) return false;
    this.#said += 1;
    const gap = FIRST_GAP_RTOS * rtoMs * 2 ** this.#said;
    this.#sayAt = this.#said < LAST_WORDS_MAX ? now + gap : Number.POSITIVE_INFINITY;
    return true;
  }

  /** Whether nothing is left to do once our last word is stored. */
  get isOver(): boolean {
    if (!this.#isStarted || this.#said === 0) return false;
    return this.#peerKnows || this.#said >= LAST_WORDS_MAX;
  }

  deadline(): Instant {
    return this.#peerKnows && this.#said > 0 ? Number.POSITIVE_INFINITY : this.#sayAt;
  }
}
