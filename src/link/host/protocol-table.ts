import { type Cancel, requireFunction } from "../../base/index.ts";
import { requireProtocol } from "../mux/mux-frames.ts";

/** Who takes what comes for a protocol: of those that were named for it, the last one. */
export class ProtocolTable<Taker extends (...given: never) => void> {
  readonly #takers = new Map<string, Taker>();

  /**
   * Names who takes what comes for `protocol` from now on. The result takes that back, and does
   * nothing once another one was named.
   *
   * @throws RangeError for what cannot be the name of a protocol, TypeError for no function
   */
  set(protocol: string, taker: Taker): Cancel {
    requireProtocol(protocol);
    requireFunction("what takes it", taker);
    this.#takers.set(protocol, taker);
    return () => {
      if (this.#takers.get(protocol) === taker) this.#takers.delete(protocol);
    };
  }

  get(protocol: string): Taker | undefined {
    return this.#takers.get(protocol);
  }
}
