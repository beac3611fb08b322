import type { Instant } from "../../base/index.ts";

/**
 * When the peer was last heard of, and for how long its silence is borne while something is
 * expected of it.
 */
export class PeerTimeout {
  readonly #timeoutMs: number;
  #since: Instant = Number.POSITIVE_INFINITY;
  #heardAt: Instant | undefined;
  #isExpecting = false;
  #isOutOfReach = false;

  /** With a time-out of 0 any silence is borne. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** When the peer was last heard of in this session. */
  get heardAt(): Instant | undefined {
    return this.#heardAt;
  }

  /** Says whether something is expected of the peer now: its silence counts from then on. */
  expect(isExpecting: boolean, now: Instant): void {
    if (isExpecting && !this.#isExpecting) this.#since = now;
    this.#isExpecting = isExpecting;
  }

  /** `isOutOfReach`: the peer said that it can hear nothing more for now, and so answer nothing. */
  heard(now: Instant, isOutOfReach = false): void {
    this.#since = now;
    this.#heardAt = now;
    this.#isOutOfReach = isOutOfReach;
  }

  /** When the silence has lasted too long; `Infinity` if it may last. */
  deadline(): Instant {
    const isBorne = this.#timeoutMs === 0 || !this.#isExpecting || this.#isOutOfReach;
    if (isBorne) return Number.POSITIVE_INFINITY;
    return this.#since + this.#timeoutMs;
  }
}
