import type { Instant } from "../base/index.ts";

/** What a {@link RateWindow} is tuned by. */
export interface RateWindowOptions {
  /** Where it starts, and never goes beyond. */
  readonly max: number;
  /** It does not shrink below this: enough to learn that the path has become faster. */
  readonly min: number;
  /** Nor below this where requests are refused: whoever is refused has learned that at once. */
  readonly refusedMin: number;
}

/** Queueing that is tolerated on top of the path's own round trip, in ms: it feeds batching. */
const QUEUE_MS = 50;

/** How far the round trip may grow before the window gives way, as a multiple of the shortest. */
const STRETCH = 2;

/** How fast it grows back, per round trip. */
const GROWTH = 1.25;

/** How long the shortest round trip is believed, in ms: routes change. */
const SHORTEST_MS = 60_000;

/**
 * How many requests may be under way: rate × round trip, by Little's law, with a round trip of at
 * most twice the shortest one seen and a little queueing. Loss alone never shrinks it: a lossy Map
 * is not a congested one. A refusal for want of room halves it.
 */
export class RateWindow {
  readonly #options: RateWindowOptions;
  /** What {@link size} may be at the most, 1 or more, whatever else it goes by. */
  bound: number = Number.POSITIVE_INFINITY;
  #size: number;
  #shortestMs = Number.POSITIVE_INFINITY;
  /** The shortest since the last change of period; it takes over at the next one. */
  #candidateMs = Number.POSITIVE_INFINITY;
  #periodEndsAt: Instant = Number.NEGATIVE_INFINITY;
  #adjustAt: Instant = Number.NEGATIVE_INFINITY;

  /** @throws RangeError unless 1 <= refusedMin <= min <= max */
  constructor(options: RateWindowOptions) {
    const { refusedMin, min, max } = options;
    if (!(refusedMin >= 1 && refusedMin <= min && min <= max)) {
      throw new RangeError("1 <= refusedMin <= min <= max must hold");
    }
    this.#options = options;
    this.#size = options.max;
  }

  /** Requests that may be under way now. */
  get size(): number {
    return Math.floor(Math.min(this.#size, this.bound));
  }

  /** Learns from one round trip and the smoothed one; changes at most once per round trip. */
  sample(sample: { readonly rttMs: number; readonly meanMs: number }, now: Instant): void {
    this.#noteShortest(sample.rttMs, now);
    if (now < this.#adjustAt) return;
    this.#adjustAt = now + sample.meanMs;
    const limitMs = STRETCH * this.#shortestMs + QUEUE_MS;
    const isCongested = sample.meanMs > limitMs;
    if (isCongested) this.#shrink(limitMs / sample.meanMs, this.#options.min);
    else this.#size = Math.min(this.#size * GROWTH, this.#options.max);
  }

  /** The other side had no room for a request. */
  refused(now: Instant, meanMs: number): void {
    if (now < this.#adjustAt) return;
    this.#adjustAt = now + meanMs;
    this.#shrink(1 / 2, this.#options.refusedMin);
  }

  #shrink(part: number, min: number): void {
    this.#size = Math.min(this.#size, Math.max(this.#size * part, min));
  }

  #noteShortest(rttMs: number, now: Instant): void {
    if (now >= this.#periodEndsAt) {
      this.#periodEndsAt = now + SHORTEST_MS;
      this.#shortestMs = this.#candidateMs;
      this.#candidateMs = Number.POSITIVE_INFINITY;
    }
    this.#candidateMs = Math.min(this.#candidateMs, rttMs);
    this.#shortestMs = Math.min(this.#shortestMs, rttMs);
  }
}
