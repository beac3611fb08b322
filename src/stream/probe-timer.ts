import type { Instant } from "../base/index.ts";
import { ackDelayMs } from "./ack-delay.ts";
import type { Exchange } from "./exchange.ts";
import type { StreamOptions } from "./options.ts";

/**
 * Longest silence between two probes, in ms. Each one is a frame that has to be kept alive until
 * the peer is back: more of them cost an absent peer's writer more than they could ever tell it.
 */
const PROBE_MS_MAX = 24 * 3_600_000;

/** Room for probes and a reset beyond the frames that may be unacknowledged. */
export const FRAMES_BEYOND_LIMIT = 128;

/** Keeps the doubled delay finite. */
const DOUBLINGS_MAX = 24;

/** When a writer whose reader has fallen silent asks for a sign of life: at doubling gaps. */
export class ProbeTimer {
  readonly #options: StreamOptions;
  readonly #exchange: Exchange;
  #at: Instant = Number.POSITIVE_INFINITY;
  #doublings = 0;
  #isAsking = false;

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

  /** Something was sent since the reader was heard of: its silence means something. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** Counts from `now` again: something was sent, or a probe was. */
  arm(now: Instant): void {
    this.#isAsking = true;
    this.#count(now);
  }

  /** The reader was heard of: it owes no answer until it is asked again. */
  heard(): void {
    this.#isAsking = false;
  }

  /** It has more than it had: the gaps are short again. */
  advanced(now: Instant): void {
    this.#doublings = 0;
    this.#count(now);
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

  #count(now: Instant): void {
    const options = this.#options;
    const patience = 4 * this.#exchange.rto.rtoMs() + 2 * ackDelayMs(options, this.#exchange);
    const scarcity = 2 * options.ackEveryFrames * options.paceMeanMs;
    const delay = (patience + scarcity) * 2 ** Math.min(this.#doublings, DOUBLINGS_MAX);
    this.#at = now + Math.min(delay, PROBE_MS_MAX);
  }
}
