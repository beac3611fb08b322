import { Canceller } from "../../base/index.ts";
import type { CircuitId } from "../relay/relay-protocol.ts";

/** A place that a circuit has taken; whoever works in it stops when it is given to another one. */
export type Place = Canceller;

/**
 * A number of places, shared by circuits. When all are taken, the circuit that has most gives up
 * the one that it took last, to one that has fewer: who takes little is served, however many
 * circuits somebody else has who takes all that he can get. Where none has more than one, the
 * circuit that has taken nothing for longest gives its own to one that has none: a put is done long
 * before its turn comes.
 */
export class CircuitShares {
  readonly #placesMax: number;
  readonly #taken = new Map<CircuitId, Set<Place>>();
  #size = 0;

  constructor(placesMax: number) {
    this.#placesMax = placesMax;
  }

  /** A place for a circuit; `undefined` when it has one and nobody has more than it would have. */
  take(circuit: CircuitId): Place | undefined {
    const own = this.#taken.get(circuit) ?? new Set();
    if (this.#size >= this.#placesMax && !this.#freeOne(own.size + 1)) return undefined;
    const place = new Canceller();
    // Whoever has taken nothing for longest is first.
    this.#taken.delete(circuit);
    this.#taken.set(circuit, own.add(place));
    this.#size += 1;
    return place;
  }

  /** The work is over. Once the place was given away, it does nothing. */
  leave(circuit: CircuitId, place: Place): void {
    const taken = this.#taken.get(circuit);
    if (taken?.delete(place) !== true) return;
    this.#size -= 1;
    if (taken.size === 0) this.#taken.delete(circuit);
  }

  /** Takes a place from the circuit that has most, unless that is no more than `few`. */
  #freeOne(few: number): boolean {
    const [longest = -1] = few === 1 ? this.#taken.keys() : [];
    let [richest, most] = [longest, few];
    for (const [circuit, { size }] of this.#taken) {
      if (size > most) [richest, most] = [circuit, size];
    }
    const last = [...(this.#taken.get(richest) ?? [])].at(-1);
    if (last === undefined) return false;
    this.leave(richest, last);
    last.abort();
    return true;
  }
}
