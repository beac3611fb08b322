import { type Cancel, requireFunction } from "../base/index.ts";
import { apart } from "../io/defer.ts";

/** Functions that want to be told of something. */
export class ListenerSet<Arguments extends readonly unknown[]> {
  readonly #listeners = new Set<{ readonly call: (...told: Arguments) => void }>();

  /** Tells `call` from now on; the result stops it. The same function may be added twice. */
  add(call: (...told: Arguments) => void): Cancel {
    requireFunction("a listener", call);
    const entry = { call };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  tell(...told: Arguments): void {
    for (const { call } of [...this.#listeners]) apart(() => call(...told));
  }

  clear(): void {
    this.#listeners.clear();
  }
}
