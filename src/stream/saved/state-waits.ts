import { onAbort, throwIfAborted } from "../../base/index.ts";

interface Wait {
  readonly isOver: () => boolean;
  readonly settle: (error?: Error) => void;
}

/** Options of one wait. */
export interface WaitOptions {
  /** Gives the wait up, and nothing else. */
  readonly signal?: AbortSignal | undefined;
}

/** Promises that wait for something to become true; whoever may have made it so calls `check`. */
export class StateWaits {
  readonly #open = new Set<Wait>();

  /**
   * Resolves once `isOver` holds.
   *
   * @throws Error what `fail` was given; `AbortError` when the signal is aborted
   */
  async until(isOver: () => boolean, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    if (isOver()) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: Error): void => {
        this.#open.delete(wait);
        forget();
        if (error === undefined) resolve();
        else reject(error);
      };
      const wait = { isOver, settle };
      const forget = onAbort(signal, settle);
      this.#open.add(wait);
    });
  }

  check(): void {
    for (const wait of [...this.#open]) if (wait.isOver()) wait.settle();
  }

  /** What has not become true by now never will. */
  fail(error: Error): void {
    this.check();
    for (const wait of [...this.#open]) wait.settle(error);
  }
}
