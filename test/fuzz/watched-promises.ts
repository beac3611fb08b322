import { isCulvertError } from "../../src/base/index.ts";

/** Promises that have to settle, and may fail with a code. */
export class WatchedPromises {
  readonly #fault: (what: string) => void;
  readonly #open = new Map<number, string>();
  #count = 0;

  constructor(fault: (what: string) => void) {
    this.#fault = fault;
  }

  /** Those that have not settled. */
  get open(): readonly string[] {
    return [...this.#open.values()];
  }

  /** What it resolves with; nothing, when it fails. */
  watch<T>(name: string, promise: Promise<T>): Promise<T | undefined> {
    const number = this.#count++;
    this.#open.set(number, name);
    return promise.then(
      (value) => {
        this.#open.delete(number);
        return value;
      },
      (error: Error) => {
        this.#open.delete(number);
        const hasCode = isCulvertError(error) || error.name === "AbortError";
        if (!hasCode) this.#fault(`${name} fails without a code: ${error.stack}`);
        return undefined;
      },
    );
  }
}
