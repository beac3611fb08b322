/** Frames that were sealed within one stretch of time, and are given up together. */
export interface Generation {
  /** The first of them. */
  readonly from: number;
  readonly bornUnixMs: number;
}

/** How many generations a life is divided into: frames are kept up to a 32nd of it too long. */
const GENERATIONS = 32;

/**
 * How long each frame of a broadcast is kept. Birthdays are kept by generations, so that they need
 * next to no room in memory and in the journal. Times are Unix milliseconds: they outlive us.
 */
export class Retention {
  readonly #lifeMs: number;
  readonly #spanMs: number;
  readonly #generations: Generation[];

  constructor(retainSeconds: number, saved: readonly Generation[] = []) {
    this.#lifeMs = retainSeconds * 1_000;
    this.#spanMs = this.#lifeMs / GENERATIONS;
    this.#generations = [...saved];
  }

  /** Everything that has to survive a restart. */
  get generations(): readonly Generation[] {
    return this.#generations;
  }

  /** A frame was sealed; they come in order. */
  sealed(index: number, unixMs: number): void {
    const last = this.#generations.at(-1);
    if (last !== undefined && unixMs < last.bornUnixMs + this.#spanMs) return;
    this.#generations.push({ from: index, bornUnixMs: Math.floor(unixMs) });
  }

  /** When the frame was sealed, at the earliest; `-Infinity` when its time is over. */
  bornAt(index: number): number {
    return this.#of(index)?.bornUnixMs ?? Number.NEGATIVE_INFINITY;
  }

  /** When the frame is given up. */
  endsAt(index: number): number {
    return this.bornAt(index) + this.#spanMs + this.#lifeMs;
  }

  /** The first frame whose time is not over; `Infinity` when there is none. */
  firstKept(unixMs: number): number {
    while (unixMs >= this.deadline()) this.#generations.shift();
    return this.#generations[0]?.from ?? Number.POSITIVE_INFINITY;
  }

  /** When `firstKept` gives another answer. */
  deadline(): number {
    const oldest = this.#generations[0];
    if (oldest === undefined) return Number.POSITIVE_INFINITY;
    return oldest.bornUnixMs + this.#spanMs + this.#lifeMs;
  }

  #of(index: number): Generation | undefined {
    return this.#generations.findLast((generation) => generation.from <= index);
  }
}
