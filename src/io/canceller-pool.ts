import { getEventListeners } from "node:events";
import { Canceller } from "../base/index.ts";

/** Cancellers of requests that ended by themselves: to make one costs as much as many a request. */
export class CancellerPool {
  readonly #spare: Canceller[] = [];
  readonly #spareMax: number;

  /** @param spareMax about as many as there are requests under way */
  constructor(spareMax: number) {
    this.#spareMax = spareMax;
  }

  take(): Canceller {
    return this.#spare.pop() ?? new Canceller();
  }

  /** Handed over. Who leaves a listener on its signal does not hear of another request's end. */
  giveBack(canceller: Canceller): void {
    const isFree = canceller.isFree && isUnheard(canceller.signal);
    if (isFree && this.#spare.length < this.#spareMax) this.#spare.push(canceller);
  }
}

/** Whether no event listener waits for the abort of a signal. */
function isUnheard(signal: AbortSignal): boolean {
  return getEventListeners(signal, "abort").length === 0;
}
