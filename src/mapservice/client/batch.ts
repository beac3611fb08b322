/** Done at once when so many wait: with more, what each saves is next to nothing. */
const BATCH_MAX = 8;

interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Work that costs less for several items together than for each alone: those that come one after
 * the other, before any promise goes on, are one batch.
 */
export class Batch<T, R> {
  readonly #work: (items: readonly T[]) => readonly R[];
  #waiting: Waiting<T, R>[] = [];

  /** @param work gives a result for each item, in their order; what it throws fails all of them */
  constructor(work: (items: readonly T[]) => readonly R[]) {
    this.#work = work;
  }

  /** Borrows `item` until the promise settles. */
  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#waiting.length === 1) queueMicrotask(() => this.#flush());
      if (this.#waiting.length === BATCH_MAX) this.#flush();
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length === 0) return;
    try {
      const results = this.#work(waiting.map(({ item }) => item));
      for (const [i, { resolve }] of waiting.entries()) resolve(results[i] as R);
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}
