import { LruMap } from "../../base/index.ts";

/** How much the latest sample counts against all before it. */
const GAIN = 1 / 8;
/** How far above the mean an answer is late, in standard deviations. */
const SIGMAS = 2;

interface Times {
  meanMs: number;
  variance: number;
}

/**
 * What each peer took to answer each type of request: where the soft timeout comes from. Old
 * samples fade, so a peer that has become slow is not called late for long.
 */
export class ResponseTimes {
  readonly #unknownMs: number;
  readonly #times: LruMap<string, Times>;

  constructor(options: { readonly unknownMs: number; readonly pairsMax: number }) {
    this.#unknownMs = options.unknownMs;
    this.#times = new LruMap(options.pairsMax);
  }

  /** @param place names the peer and the type */
  sample(place: string, ms: number): void {
    const times = this.#times.get(place);
    if (times === undefined) {
      this.#times.set(place, { meanMs: ms, variance: (ms / 2) ** 2 });
      return;
    }
    const difference = ms - times.meanMs;
    times.meanMs += GAIN * difference;
    times.variance = (1 - GAIN) * (times.variance + GAIN * difference ** 2);
  }

  /** When an answer is late: mean and two standard deviations, or the default. */
  softMs(place: string): number {
    const times = this.#times.get(place);
    if (times === undefined) return this.#unknownMs;
    return times.meanMs + SIGMAS * Math.sqrt(times.variance);
  }
}
