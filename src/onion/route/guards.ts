import type { Random } from "../../base/index.ts";
import { type NodeId, nodeIdText } from "../../identity/index.ts";

/** What is known of the nodes when guards are chosen. */
export interface GuardView {
  /** Relays with keys of now. */
  readonly relays: readonly NodeId[];
  /** Whether a node has failed lately. */
  readonly isAvoided: (node: NodeId) => boolean;
  /** Whether a node was caught lying. */
  readonly isLiar: (node: NodeId) => boolean;
}

/**
 * The few nodes that ever see this one as a first hop, in the order in which they were drawn. The
 * first of them that can be used are used. One that cannot keeps its place, and is tried again as
 * soon as its blame has faded, which takes the longer the more often it failed: whoever can block
 * dials moves a client on to the next of a few nodes, for a while, and never to nodes of his choice
 * without end.
 *
 * Source: Tor's guard specification (proposal 271), of which this is the sample and its order.
 */
export class Guards {
  readonly #used: number;
  readonly #sampled: number;
  readonly #random: Random;
  readonly #onChange: (sample: readonly NodeId[]) => void;
  #sample: readonly NodeId[];

  /**
   * @param init `used` guards at a time, out of at most so many `sampled` ones; `sample` is what
   *   `onChange` was told last in an earlier run
   */
  constructor(init: {
    readonly used: number;
    readonly sampled: number;
    readonly random: Random;
    readonly sample: readonly NodeId[];
    readonly onChange: (sample: readonly NodeId[]) => void;
  }) {
    this.#used = init.used;
    this.#sampled = Math.max(init.sampled, init.used);
    this.#random = init.random;
    this.#onChange = init.onChange;
    this.#sample = init.sample.slice(0, this.#sampled);
  }

  /** All of them, the first choice first. */
  get sample(): readonly NodeId[] {
    return this.#sample;
  }

  /** Those for a route that begins now. Draws others where too few can be used. */
  choose(view: GuardView): readonly NodeId[] {
    const here = new Set(view.relays.map(nodeIdText));
    const isHere = (guard: NodeId): boolean => here.has(nodeIdText(guard));
    const sample = this.#sample.filter((guard) => !view.isLiar(guard));
    const isUsable = (guard: NodeId): boolean => isHere(guard) && !view.isAvoided(guard);
    const usable = sample.filter(isUsable);
    const known = new Set(sample.map(nodeIdText));
    const others = view.relays.filter((id) => !known.has(nodeIdText(id)) && isUsable(id));
    while (usable.length < this.#used && others.length > 0) {
      if (sample.length >= this.#sampled && !dropLast(sample, isHere)) break;
      const at = Math.floor(this.#random.unit() * others.length);
      const drawn = others.splice(at, 1);
      sample.push(...drawn);
      usable.push(...drawn);
    }
    this.#keep(sample);
    return usable.slice(0, this.#used);
  }

  #keep(sample: readonly NodeId[]): void {
    const before = this.#sample;
    this.#sample = sample;
    const isSame = sample.length === before.length && sample.every((id, i) => id === before[i]);
    if (!isSame) this.#onChange(sample);
  }
}

/** Makes room by the last one that is gone; false when all are here. */
function dropLast(sample: NodeId[], isHere: (guard: NodeId) => boolean): boolean {
  const at = sample.findLastIndex((guard) => !isHere(guard));
  if (at >= 0) sample.splice(at, 1);
  return at >= 0;
}
