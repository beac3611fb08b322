import { apart } from "../../io/defer.ts";

/** How Node's streams are told that a step is done. */
export type Callback = (error?: Error | null) => void;

/** One callback of Node's stream that is called later, and once. */
export class HeldCallback {
  #callback: Callback | undefined;

  get isHeld(): boolean {
    return this.#callback !== undefined;
  }

  hold(callback: Callback): void {
    this.#callback = callback;
  }

  /** Calls it, if one is held. */
  release(error?: Error): void {
    const callback = this.#callback;
    this.#callback = undefined;
    apart(() => callback?.(error));
  }
}
