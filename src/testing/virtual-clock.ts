import { assert, type Cancel, type Clock, type Instant } from "../base/index.ts";
import { TimerQueue } from "../retx/index.ts";
import { settle } from "./settle.ts";

/** 2025-01-01: virtual wall clocks start there unless told otherwise. */
const START_UNIX_MS = 1_735_689_600_000;

/** More live timers than any simulated world needs; reaching it means a leak. */
const TIMERS_MAX = 1_000_000;

/**
 * A clock that moves only when told to, from timer to timer, so that an hour costs what happens in
 * it. Timers of one instant run in the order in which they were scheduled: with a seeded world the
 * same run has the same trace.
 *
 * `step` and `advance` are synchronous, for worlds made of cores. `runUntil` lets promises and
 * streams settle between two timers, for worlds that hold shells.
 */
export class VirtualClock implements Clock {
  readonly #timers = new TimerQueue<() => void>({ capacity: TIMERS_MAX });
  readonly #startUnixMs: number;
  #now: Instant = 0;

  constructor(options: { readonly startUnixMs?: number } = {}) {
    this.#startUnixMs = options.startUnixMs ?? START_UNIX_MS;
  }

  /** How many timers are armed: zero when a world has been shut down properly. */
  get pending(): number {
    return this.#timers.size;
  }

  /** When the next timer runs; `Infinity` while none is armed. */
  get deadline(): Instant {
    return this.#timers.deadline();
  }

  now(): Instant {
    return this.#now;
  }

  unixMs(): number {
    return Math.floor(this.#startUnixMs + this.#now);
  }

  schedule(at: Instant, run: () => void): Cancel {
    if (at === Number.POSITIVE_INFINITY) return () => {};
    const handle = this.#timers.push(Math.max(at, this.#now), run);
    return () => {
      this.#timers.cancel(handle);
    };
  }

  /** Moves to the next timer and runs it; false while none is armed. */
  step(): boolean {
    const at = this.#timers.deadline();
    const run = this.#timers.due(at);
    if (run === undefined) return false;
    this.#now = at;
    run();
    return true;
  }

  /** Moves on by `ms` milliseconds and runs everything that comes due on the way. */
  advance(ms: number): void {
    assert(ms >= 0 && Number.isFinite(ms), "time moves on by a finite step");
    const until = this.#now + ms;
    while (this.#timers.deadline() <= until) this.step();
    this.#now = until;
  }

  /**
   * Runs timers until the instant `goal`, or until `goal()` holds.
   *
   * @throws Error when no timer is armed, or `limitMs` have passed, before `goal()` holds
   */
  async runUntil(
    goal: Instant | (() => boolean),
    limitMs: number = Number.POSITIVE_INFINITY,
  ): Promise<void> {
    await settle();
    if (typeof goal === "number") return this.#runTo(goal);
    const limit = this.#now + limitMs;
    while (!goal()) {
      if (this.#timers.deadline() > limit) throw new Error(`virtual time limit of ${limitMs} ms`);
      if (!this.step()) throw new Error(`nothing left to happen at ${this.#now} ms`);
      await settle();
    }
  }

  /** Runs timers until `promise` settles, and answers with its outcome. */
  async runPromise<T>(promise: Promise<T>, limitMs?: number): Promise<T> {
    let isSettled = false;
    const mark = (): void => {
      isSettled = true;
    };
    promise.then(mark, mark);
    await this.runUntil(() => isSettled, limitMs);
    return promise;
  }

  async #runTo(until: Instant): Promise<void> {
    while (this.#timers.deadline() <= until) {
      this.step();
      await settle();
    }
    this.#now = Math.max(this.#now, until);
  }
}
