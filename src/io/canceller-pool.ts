import { getEventListeners } from "node:events";
import { Canceller } from "../base/index.ts";

/** One that knows whether anybody has listened to its signal in other ways than by `onAbort`. */
export class PooledCanceller extends Canceller {
  /** Stays so: who has listened once may still do. */
  #wasHeard = false;

  constructor() {
    super();
    const { signal } = this;
    const listen = signal.addEventListener.bind(signal) as AbortSignal["addEventListener"];
    // All come by it: `onabort`, Node's own waits, `fetch`. To ask a signal for its listeners takes
    // twenty times as long as to be told of them: each has a hidden class of its own.
    signal.addEventListener = (...listener: Parameters<typeof listen>) => {
      this.#wasHeard = true;
      listen(...listener);
    };
  }

  /** Whether it may serve for another request: nobody would hear of that one's end by it. */
  get isReusable(): boolean {
    return this.isFree && (!this.#wasHeard || getEventListeners(this.signal, "abort").length === 0);
  }
}

/** Cancellers of requests that ended by themselves: to make one costs as much as many a request. */
export class CancellerPool {
  readonly #spare: PooledCanceller[] = [];
  readonly #spareMax: number;

  /** @param spareMax about as many as there are requests under way */
  constructor(spareMax: number) {
    this.#spareMax = spareMax;
  }

  take(): PooledCanceller {
    return this.#spare.pop() ?? new PooledCanceller();
  }

  /** Handed over. Who leaves a listener on its signal does not hear of another request's end. */
  giveBack(canceller: PooledCanceller): void {
    if (this.#spare.length < this.#spareMax && canceller.isReusable) this.#spare.push(canceller);
  }
}
