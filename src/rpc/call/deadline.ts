import type { Clock, Instant } from "../../base/index.ts";

/** When a call has to be over, on the clock of this node. */
export class Deadline {
  readonly #clock: Clock;
  readonly at: Instant;

  constructor(clock: Clock, at: Instant) {
    this.#clock = clock;
    this.at = at;
  }

  /** Milliseconds that are left; 0 when it has passed. */
  leftMs(): number {
    return Math.max(0, this.at - this.#clock.now());
  }
}
