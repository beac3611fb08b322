import type { Clock, Instant } from "../base/index.ts";
import { defer } from "./defer.ts";

/** After so long other events have their turn. */
const SLICE_MS = 1;

/**
 * Bounds what one turn of the event loop spends on work that comes in bursts: while a slice lasts,
 * its owner goes on; when it is over, the owner waits for `onNext`, after other events.
 *
 * Deferred functions run at the end of a turn. An owner that spent a slice when its event came in
 * has one there that is over as soon as time passes: it gets a piece of work done, and one slice in
 * each turn from then on.
 */
export class TimeSlice {
  readonly #clock: Clock;
  readonly #onNext: () => void;
  /** How long a slice lasts that begins now. */
  #lengthMs = SLICE_MS;
  #endsAt: Instant | undefined;
  #isSpent = false;
  #isAtEndOfTurn = false;

  constructor(clock: Clock, onNext: () => void) {
    this.#clock = clock;
    this.#onNext = onNext;
  }

  /** Begins a slice if there is none; false when the present one is over. */
  begin(): boolean {
    const now = this.#clock.now();
    if (this.#endsAt === undefined) {
      const isAtEndOfTurn = this.#isAtEndOfTurn;
      this.#endsAt = now + this.#lengthMs;
      defer(() => this.#next(isAtEndOfTurn));
    }
    const isOver = now > this.#endsAt;
    if (isOver) this.#isSpent = true;
    return !isOver;
  }

  #next(wasAtEndOfTurn: boolean): void {
    this.#endsAt = undefined;
    this.#lengthMs = this.#isSpent && !wasAtEndOfTurn ? 0 : SLICE_MS;
    this.#isSpent = false;
    this.#isAtEndOfTurn = true;
    try {
      this.#onNext();
    } finally {
      this.#isAtEndOfTurn = false;
      this.#lengthMs = SLICE_MS;
    }
  }
}
