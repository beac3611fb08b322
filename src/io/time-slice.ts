import type { Clock, Instant } from "../base/index.ts";
import { defer } from "./defer.ts";

/** After so long other events have their turn. */
const SLICE_MS = 1;

/**
 * Bounds what one turn of the event loop spends on work that comes in bursts: while a slice lasts,
 * its owner goes on; when it is over, the owner waits for `onNext`, after other events.
 */
export class TimeSlice {
  readonly #clock: Clock;
  readonly #onNext: () => void;
  #endsAt: Instant | undefined;

  constructor(clock: Clock, onNext: () => void) {
    this.#clock = clock;
    this.#onNext = onNext;
  }

  /** Begins a slice if there is none; false when the present one is over. */
  begin(): boolean {
    const now = this.#clock.now();
    if (this.#endsAt === undefined) {
      this.#endsAt = now + SLICE_MS;
      defer(() => {
        this.#endsAt = undefined;
        this.#onNext();
      });
    }
    return now < this.#endsAt;
  }
}
