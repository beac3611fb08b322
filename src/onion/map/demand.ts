import type { Cancel, Clock, Instant } from "../../base/index.ts";

/** What a demand is told by, and for how long it lasts. */
export interface DemandOptions {
  readonly clock: Clock;
  /** After so long without a request there is none. */
  readonly idleMs: number;
  /** The same of one that waits for its first request. */
  readonly preparedMs: number;
  /** Called when requests have come, and none has for so long. */
  readonly over: () => void;
}

/**
 * Whether a stream wants circuits: from when they are prepared, or something is asked for, until
 * nothing is for a while.
 */
export class Demand {
  readonly #options: DemandOptions;
  #isWanted = false;
  #openRequests = 0;
  #usedAt: Instant = Number.NEGATIVE_INFINITY;
  #cancelIdle: Cancel | undefined;
  #cancelPrepared: Cancel | undefined;
  #isClosed = false;

  constructor(options: DemandOptions) {
    this.#options = options;
  }

  /** Whether circuits are kept ready. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Wants circuits before there is a request: `build` begins to make them. */
  prepare(build: () => void): void {
    if (this.#isClosed) return;
    this.#isWanted = true;
    build();
    const { clock, preparedMs } = this.#options;
    // Those there are live their time: that they ended together would tell who they belong to.
    const leave = (): void => {
      if (this.#openRequests === 0) this.#isWanted = false;
    };
    this.#cancelPrepared?.();
    this.#cancelPrepared = clock.schedule(clock.now() + preparedMs, leave, { background: true });
  }

  /** Wants circuits while something is asked for. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#isWanted = true;
    this.#cancelPrepared?.();
    this.#openRequests += 1;
    try {
      return await work();
    } finally {
      this.#openRequests -= 1;
      this.#usedAt = this.#options.clock.now();
      if (this.#openRequests === 0) this.#watchIdle();
    }
  }

  /** Nothing is wanted any more, and nobody is told. */
  close(): void {
    this.#isClosed = true;
    this.#cancelIdle?.();
    this.#cancelPrepared?.();
  }

  /** Nobody asks for anything: sooner or later that is the end. */
  #watchIdle(): void {
    if (this.#cancelIdle !== undefined || this.#isClosed) return;
    const { clock, idleMs } = this.#options;
    const look = (): void => {
      this.#cancelIdle = undefined;
      if (this.#openRequests > 0) return;
      if (clock.now() < this.#usedAt + idleMs) this.#watchIdle();
      else this.#end();
    };
    this.#cancelIdle = clock.schedule(this.#usedAt + idleMs, look, { background: true });
  }

  #end(): void {
    this.#isWanted = false;
    this.#options.over();
  }
}
