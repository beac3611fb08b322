import { Counts } from "../../base/index.ts";
import { type NodeId, nodeIdText } from "../../identity/index.ts";
import { FairPlaces } from "../../retx/index.ts";
import type { RelayCircuit } from "./relay-circuit.ts";

/** How many circuits there may be. */
export interface CircuitBounds {
  readonly circuitsMax: number;
  /** On to one neighbour. */
  readonly circuitsPerLinkMax: number;
}

/**
 * A sixth more may come from one neighbour than go on to one: where it has one circuit give way to
 * another, the new one is here before the old one is seen to leave.
 */
const LEAVING_PART = 6;

/**
 * Shares the places for circuits out to the sources that they come from, and so the places on the
 * way to each neighbour. Where all are taken, the source that has most gives up the one that it
 * took last to one that has fewer: circuits live for minutes, and whoever only found what others
 * have left would find nothing for as long.
 */
export class CircuitsPerLink {
  readonly #circuitsPerLinkMax: number;
  readonly #end: (circuit: RelayCircuit) => void;
  readonly #places: FairPlaces<RelayCircuit>;
  /** Of each neighbour. */
  readonly #from = new Counts();
  readonly #to = new Map<string, FairPlaces<RelayCircuit>>();

  /** @param end has to end a circuit that gives its place up, and to say that it left */
  constructor(bounds: CircuitBounds, end: (circuit: RelayCircuit) => void) {
    this.#circuitsPerLinkMax = bounds.circuitsPerLinkMax;
    this.#end = end;
    this.#places = new FairPlaces(bounds.circuitsMax, end);
  }

  /** A place for a circuit that has come; false when there is none. */
  accept(circuit: RelayCircuit): boolean {
    const most = this.#circuitsPerLinkMax + Math.ceil(this.#circuitsPerLinkMax / LEAVING_PART);
    const link = nodeIdText(circuit.from);
    if (this.#from.of(link) >= most) return false;
    if (!this.#places.take(circuit.source, circuit)) return false;
    this.#from.add(link);
    return true;
  }

  /** A place for it on its way to `to`; false when there is none. */
  extend(circuit: RelayCircuit, to: NodeId): boolean {
    const key = nodeIdText(to);
    const way = this.#to.get(key) ?? new FairPlaces(this.#circuitsPerLinkMax, this.#end);
    if (!way.take(circuit.source, circuit)) return false;
    this.#to.set(key, way);
    return true;
  }

  /** A circuit that was accepted is over; `to` if it went on. */
  leave(circuit: RelayCircuit, to: NodeId | undefined): void {
    this.#places.leave(circuit.source, circuit);
    this.#from.remove(nodeIdText(circuit.from));
    if (to === undefined) return;
    const way = this.#to.get(nodeIdText(to));
    way?.leave(circuit.source, circuit);
    if (way?.size === 0) this.#to.delete(nodeIdText(to));
  }
}
