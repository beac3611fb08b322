import { apart } from "../../io/defer.ts";

/** How Node's streams are told that a step is done. */
export type Callback = (error?: Error | null) => void;

/** One callback of Node's stream that is called later, and once. */
export class HeldCallback {
  #callback: Callback | undefined;
  #bytes = 0;

  get isHeld(): boolean {
    return this.#callback !== undefined;
  }

  /** Bytes that were given with it, which Node counts as waiting. */
  get bytes(): number {
    return this.#bytes;
  }

  hold(callback: Callback, bytes = 0): void {
    this.#callback = callback;
    this.#bytes = bytes;
  }

  /** Calls it, if one is held. */
  release(error?: Error): void {
    const callback = this.#callback;
    this.#callback = undefined;
    this.#bytes = 0;
    apart(() => callback?.(error));
  }

  /**
   * Has `release` call back one held write after the other, the last one that `isLast` is true for.
   * What is written on being called back is not waited for: whoever always writes again would have
   * no end.
   */
  drain(isLast: () => boolean, release: () => void): void {
    for (let isOver = false; this.isHeld && !isOver; release()) isOver = isLast();
  }
}
