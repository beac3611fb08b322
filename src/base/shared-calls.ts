import { onAbort, throwIfAborted } from "./abort.ts";

interface SharedCall<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/** Callers that want the same thing at once share one call; it is aborted when all have left. */
export class SharedCalls<T> {
  readonly #calls = new Map<string, SharedCall<T>>();

  /** Joins the call for `key`, or begins it. */
  join(
    key: string,
    signal: AbortSignal | undefined,
    begin: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal);
      const call = this.#calls.get(key) ?? this.#begin(key, begin);
      call.waiting += 1;
      const forget = onAbort(signal, (error) => {
        call.waiting -= 1;
        if (call.waiting === 0) {
          this.#forget(key, call);
          call.controller.abort();
        }
        reject(error);
      });
      call.promise.then(resolve, reject).finally(forget);
    });
  }

  #begin(key: string, begin: (signal: AbortSignal) => Promise<T>): SharedCall<T> {
    const controller = new AbortController();
    const promise = begin(controller.signal);
    const call = { promise, controller, waiting: 0 };
    this.#calls.set(key, call);
    const forget = (): void => this.#forget(key, call);
    promise.then(forget, forget);
    return call;
  }

  /** Another one may have begun since, which stays. */
  #forget(key: string, call: SharedCall<T>): void {
    if (this.#calls.get(key) === call) this.#calls.delete(key);
  }
}
