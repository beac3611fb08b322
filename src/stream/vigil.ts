import type { Instant } from "../base/index.ts";

/**
 * When the peer was last heard of, and for how long its silence is borne while something is
 * expected of it.
 */
export class Vigil {
  readonly #timeoutMs: number;
  #since: Instant = Number.POSITIVE_INFINITY;
  #heardAt: Instant | undefined;

  /** With a time-out of 0 any silence is borne. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** When the peer was last heard of in this session. */
  get heardAt(): Instant | undefined {
    return this.#heardAt;
  }

  start(now: Instant): void {
    this.#since = now;
  }

  heard(now: Instant): void {
    this.#since = now;
    this.#heardAt = now;
  }

  /** When the silence has lasted too long; `Infinity` if it may last. */
  deadline(isExpecting: boolean): Instant {
    if (this.#timeoutMs === 0 || !isExpecting) return Number.POSITIVE_INFINITY;
    return this.#since + this.#timeoutMs;
  }
}
