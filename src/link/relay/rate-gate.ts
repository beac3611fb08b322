import type { Instant } from "../../base/index.ts";

/**
 * A rate for bytes that have come already: what is too much is not refused but paid off, by a pause
 * before the next read. The generic cell rate algorithm, with bytes for cells.
 */
export class RateGate {
  readonly #bytesPerSecond: number;
  readonly #burstMs: number;
  #paidUntil: Instant = Number.NEGATIVE_INFINITY;

  constructor(options: { readonly bytesPerSecond: number; readonly bytesBurst: number }) {
    this.#bytesPerSecond = options.bytesPerSecond;
    this.#burstMs = (options.bytesBurst * 1_000) / options.bytesPerSecond;
  }

  /** Takes `bytes` in at `now`; until when nothing more should be read. */
  pass(bytes: number, now: Instant): Instant {
    const costMs = (bytes * 1_000) / this.#bytesPerSecond;
    this.#paidUntil = Math.max(this.#paidUntil, now) + costMs;
    return this.#paidUntil - this.#burstMs;
  }
}
