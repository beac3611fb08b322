import { type Cancel, onAbort, type SeededRandom } from "../../src/base/index.ts";
import type { VirtualClock } from "../../src/testing/index.ts";

/** What all that happens in a world of calls shares: dice, time, and what is noted of it. */
export class ChurnNotes {
  readonly random: SeededRandom;
  readonly clock: VirtualClock;
  readonly violations: string[] = [];
  /** What goes on: calls, handlers and items to send, by what they are. */
  readonly open = new Map<string, number>();
  /** How often a handler ran for each request that may run once. */
  readonly runs = new Map<string, number>();
  readonly #bytes: readonly number[];

  constructor(random: SeededRandom, clock: VirtualClock, bytes: readonly number[]) {
    this.random = random;
    this.clock = clock;
    this.#bytes = bytes;
  }

  one<T>(...values: readonly T[]): T {
    return values[this.random.below(values.length)] as T;
  }

  /** How long an item is, and how long somebody takes over one. */
  bytes(): number {
    return this.one(10, 10, ...this.#bytes);
  }

  pauseMs(): number {
    return this.one(0, 0, 10, 500);
  }

  wrong(what: string): void {
    this.violations.push(what.slice(0, 200));
  }

  ran(id: string): void {
    this.runs.set(id, (this.runs.get(id) ?? 0) + 1);
  }

  /** Counts what goes on until `work` has ended. */
  async during<T>(what: string, work: () => Promise<T>): Promise<T> {
    this.open.set(what, (this.open.get(what) ?? 0) + 1);
    try {
      return await work();
    } finally {
      this.open.set(what, (this.open.get(what) ?? 0) - 1);
    }
  }

  often(meanMs: number, run: () => void): Cancel {
    let cancel: Cancel = () => {};
    const arm = (): void => {
      const at = this.clock.now() - meanMs * Math.log(1 - this.random.unit());
      cancel = this.clock.schedule(at, () => {
        run();
        arm();
      });
    };
    arm();
    return () => cancel();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const forget = onAbort(signal, (error) => {
        cancel();
        reject(error);
      });
      const cancel = this.clock.schedule(this.clock.now() + ms, () => {
        forget();
        resolve();
      });
    });
  }
}
