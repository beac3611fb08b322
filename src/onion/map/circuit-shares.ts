import { Canceller } from "../../base/index.ts";
import { FairPlaces } from "../../retx/index.ts";
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
  readonly #places: FairPlaces<Place, CircuitId>;
  /** Circuits that have a place; the one that has taken nothing for longest is first. */
  readonly #turns = new Set<CircuitId>();

  constructor(placesMax: number) {
    this.#places = new FairPlaces(placesMax, (place) => place.abort());
  }

  /** A place for a circuit; `undefined` when it has one and nobody has more than it would have. */
  take(circuit: CircuitId): Place | undefined {
    const place = new Canceller();
    if (!this.#places.take(circuit, place) && !this.#takeOfLongest(circuit, place)) {
      return undefined;
    }
    this.#turns.delete(circuit);
    this.#turns.add(circuit);
    return place;
  }

  /** The work is over. Once the place was given away, it does nothing. */
  leave(circuit: CircuitId, place: Place): void {
    this.#places.leave(circuit, place);
    if (!this.#places.has(circuit)) this.#turns.delete(circuit);
  }

  /** Where no circuit has more than one. */
  #takeOfLongest(circuit: CircuitId, place: Place): boolean {
    if (this.#places.has(circuit)) return false;
    const [longest] = this.#turns;
    if (longest === undefined || !this.#places.freeLast(longest)) return false;
    this.#turns.delete(longest);
    return this.#places.take(circuit, place);
  }
}
