import type { Cancel } from "../../base/index.ts";
import { requireProtocol } from "../mux/mux-frames.ts";

/** Who takes what comes for a protocol: of those that were named for it, the last one. */
export class ProtocolTable<Taker> {
  readonly #takers = new Map<string, Taker>();

  /**
   * Names who takes what comes for `protocol` from now on. The result takes that back, and does
   * nothing once another one was named.
   *
   * @throws RangeError for what cannot be the name of a protocol
   */
  set(protocol: string, taker: Taker): Cancel {
    requireProtocol(protocol);
    this.#takers.set(protocol, taker);
    return () => {
      if (this.#takers.get(protocol) === taker) this.#takers.delete(protocol);
    };
  }

  get(protocol: string): Taker | undefined {
    return this.#takers.get(protocol);
  }
}
