import type { Instant } from "../base/index.ts";
import { ackDelayMs } from "./ack-delay.ts";
import type { Exchange } from "./exchange.ts";
import type { StreamOptions } from "./options.ts";

/**
 * Longest silence between two probes, in ms. Each one is a frame that has to be kept alive until
 * the peer is back: more of them cost an absent peer's writer more than they could ever tell it.
 */
const PROBE_MS_MAX = 24 * 3_600_000;

/** Keeps the doubled delay finite. */
const DOUBLINGS_MAX = 24;

/** When a writer whose reader has fallen silent asks for a sign of life: at doubling gaps. */
export class ProbeTimer {
  readonly #options: StreamOptions;
  readonly #exchange: Exchange;
  #at: Instant = Number.POSITIVE_INFINITY;
  #doublings = 0;

  constructor(options: StreamOptions, exchange: Exchange) {
    this.#options = options;
    this.#exchange = exchange;
  }

  get isArmed(): boolean {
    return this.#at !== Number.POSITIVE_INFINITY;
  }

  get deadline(): Instant {
    return this.#at;
  }

  /** Counts from `now` again: something was sent, or a probe was. */
  arm(now: Instant): void {
    const options = this.#options;
    const patience = 4 * this.#exchange.rto.rtoMs() + 2 * ackDelayMs(options, this.#exchange);
    const scarcity = 2 * options.ackEveryFrames * options.paceMeanMs;
    const delay = (patience + scarcity) * 2 ** Math.min(this.#doublings, DOUBLINGS_MAX);
    this.#at = now + Math.min(delay, PROBE_MS_MAX);
  }

  /** The reader was heard of: the gaps are short again. */
  heard(now: Instant): void {
    this.#doublings = 0;
    this.arm(now);
  }

  /** True once when it is due. */
  expire(now: Instant): boolean {
    if (now < this.#at) return false;
    this.disarm();
    this.#doublings += 1;
    return true;
  }

  disarm(): void {
    this.#at = Number.POSITIVE_INFINITY;
  }
}
