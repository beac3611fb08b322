import { type NodeId, nodeIdText } from "../../identity/index.ts";
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
  readonly #places: Places;
  /** Of each neighbour. */
  readonly #from = new Map<string, number>();
  readonly #to = new Map<string, Places>();

  /** @param end has to end a circuit that gives its place up, and to say that it left */
  constructor(bounds: CircuitBounds, end: (circuit: RelayCircuit) => void) {
    this.#circuitsPerLinkMax = bounds.circuitsPerLinkMax;
    this.#end = end;
    this.#places = new Places(bounds.circuitsMax);
  }

  /** A place for a circuit that has come; false when there is none. */
  accept(circuit: RelayCircuit): boolean {
    const most = this.#circuitsPerLinkMax + Math.ceil(this.#circuitsPerLinkMax / LEAVING_PART);
    const link = nodeIdText(circuit.from);
    if (this.#countFrom(link) >= most || !this.#places.take(circuit, this.#end)) return false;
    this.#from.set(link, this.#countFrom(link) + 1);
    return true;
  }

  /** A place for it on its way to `to`; false when there is none. */
  extend(circuit: RelayCircuit, to: NodeId): boolean {
    const key = nodeIdText(to);
    const way = this.#to.get(key) ?? new Places(this.#circuitsPerLinkMax);
    if (!way.take(circuit, this.#end)) return false;
    this.#to.set(key, way);
    return true;
  }

  /** A circuit that was accepted is over; `to` if it went on. */
  leave(circuit: RelayCircuit, to: NodeId | undefined): void {
    this.#places.leave(circuit);
    const link = nodeIdText(circuit.from);
    const left = this.#countFrom(link) - 1;
    if (left > 0) this.#from.set(link, left);
    else this.#from.delete(link);
    if (to === undefined) return;
    const way = this.#to.get(nodeIdText(to));
    if (way?.leave(circuit) === 0) this.#to.delete(nodeIdText(to));
  }

  #countFrom(link: string): number {
    return this.#from.get(link) ?? 0;
  }
}

/** Places that are taken by circuits, each for the source that it comes from. */
class Places {
  readonly #placesMax: number;
  /** Of each source, the one that came last is last. */
  readonly #taken = new Map<string, Set<RelayCircuit>>();
  #size = 0;

  constructor(placesMax: number) {
    this.#placesMax = placesMax;
  }

  take(circuit: RelayCircuit, end: (circuit: RelayCircuit) => void): boolean {
    if (this.#size >= this.#placesMax) {
      const other = this.#lastOfRichest((this.#taken.get(circuit.source)?.size ?? 0) + 1);
      if (other === undefined) return false;
      end(other);
    }
    const { source } = circuit;
    this.#taken.set(source, (this.#taken.get(source) ?? new Set()).add(circuit));
    this.#size += 1;
    return true;
  }

  /** How many are left. */
  leave(circuit: RelayCircuit): number {
    const { source } = circuit;
    const own = this.#taken.get(source);
    if (own?.delete(circuit) === true) this.#size -= 1;
    if (own?.size === 0) this.#taken.delete(source);
    return this.#size;
  }

  /** The last one of whoever has most, if that is more than `few`. */
  #lastOfRichest(few: number): RelayCircuit | undefined {
    let most: ReadonlySet<RelayCircuit> | undefined;
    for (const own of this.#taken.values()) if (own.size > (most?.size ?? few)) most = own;
    return [...(most ?? [])].at(-1);
  }
}
