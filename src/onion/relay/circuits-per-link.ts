import { type NodeId, nodeIdText } from "../../identity/index.ts";

/** Whether a circuit comes from a neighbour, or goes on to it. */
type Way = "from" | "to";

/** Counts circuits by neighbour and way: none has more than so many. */
export class CircuitsPerLink {
  readonly #circuitsMax: number;
  readonly #counts = new Map<string, number>();

  constructor(circuitsMax: number) {
    this.#circuitsMax = circuitsMax;
  }

  /** Counts one more; false when there are as many as there may be. */
  take(way: Way, neighbour: NodeId): boolean {
    const link = way + nodeIdText(neighbour);
    const count = this.#counts.get(link) ?? 0;
    if (count >= this.#circuitsMax) return false;
    this.#counts.set(link, count + 1);
    return true;
  }

  /** One of those that were counted is over. */
  leave(way: Way, neighbour: NodeId): void {
    const link = way + nodeIdText(neighbour);
    const left = (this.#counts.get(link) ?? 1) - 1;
    if (left > 0) this.#counts.set(link, left);
    else this.#counts.delete(link);
  }
}
