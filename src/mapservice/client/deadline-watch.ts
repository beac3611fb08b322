import type { Cancel, Clock, Instant } from "../../base/index.ts";

/**
 * One timer for the deadlines of many requests that nearly all end before theirs. It is set to the
 * earliest deadline that was noted, and not moved when that request ends: a look too many every
 * half a minute costs less than a timer for each request.
 */
export class DeadlineWatch {
  readonly #clock: Clock;
  readonly #expire: (now: Instant) => Instant;
  #wakesAt: Instant = Number.POSITIVE_INFINITY;
  #cancel: Cancel = () => {};

  /** @param expire ends what is overdue and tells the earliest deadline of what is left */
  constructor(clock: Clock, expire: (now: Instant) => Instant) {
    this.#clock = clock;
    this.#expire = expire;
  }

  /** Something is due at `deadline`. */
  note(deadline: Instant): void {
    if (deadline >= this.#wakesAt) return;
    this.#cancel();
    this.#wakesAt = deadline;
    this.#cancel = this.#clock.schedule(deadline, () => this.#wake());
  }

  /** Nothing is due any more: the process may end. */
  rest(): void {
    this.#cancel();
    this.#wakesAt = Number.POSITIVE_INFINITY;
  }

  #wake(): void {
    this.#wakesAt = Number.POSITIVE_INFINITY;
    this.note(this.#expire(this.#clock.now()));
  }
}
