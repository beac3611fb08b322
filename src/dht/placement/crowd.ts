import type { Contact, IsWanted } from "../wire/contact.ts";
import { compareDistance, distanceFraction, type KeyText } from "../wire/key.ts";

/**
 * Where the keepers of a record are so close to its address that fewer honest nodes than this
 * should be, they may have ground their ids. By chance it is so for one put in fifty; gets look
 * further a little sooner, since the estimates of two nodes differ.
 */
const CROWDED = { put: 1.5, get: 2 } as const;
/** It lies beyond a crowd, too: where so many honest nodes are closer, or up to twice that. */
const SHELLS = [1, 2, 4, 8] as const;
/** Nodes of each shell that keep it, and others in case that those are gone or full. */
const KEEPERS_PER_SHELL = 2;
const SPARES_PER_SHELL = 2;

/** Nodes that keep a record beyond a crowd. */
export const KEEPERS_BEYOND: number = SHELLS.length * KEEPERS_PER_SHELL;

/** Gives the closest of those that are wanted. */
export type Finder = (count: number, isWanted: IsWanted) => readonly Contact[];

/**
 * How dense the nodes around an address are, by the number that the network is thought to have.
 * Whoever grinds ids for an address wants to be all of its keepers; honest ids are spread evenly,
 * so a record is kept, and asked for, also at some that are further away, at growing distances.
 */
export class Surroundings {
  readonly #key: KeyText;
  readonly #nodes: number;

  constructor(key: KeyText, nodesEstimated: number) {
    this.#key = key;
    this.#nodes = nodesEstimated;
  }

  /** Whether all who would keep a record, to this one, are closer than honest nodes should be. */
  isCrowd(furthest: KeyText, operation: "put" | "get"): boolean {
    return this.#closerThan(furthest) < CROWDED[operation];
  }

  /** Nodes beyond a crowd in the order in which they should keep the record, spares last. */
  beyond(find: Finder): readonly Contact[] {
    const count = KEEPERS_PER_SHELL + SPARES_PER_SHELL;
    const shells = SHELLS.map((from) => find(count, ({ key }) => this.#isIn(from, key)));
    const turns = Array.from({ length: count }, (_, turn) => shells.map((shell) => shell[turn]));
    return turns.flat().filter((node) => node !== undefined);
  }

  /** Nodes beyond a crowd that keep the record beside `self`, whether that is one or not. */
  keepersBeyond(find: Finder, self: KeyText): readonly Contact[] {
    return SHELLS.flatMap((from) => {
      const nodes = find(KEEPERS_PER_SHELL, ({ key }) => this.#isIn(from, key));
      const last = nodes[KEEPERS_PER_SHELL - 1];
      const isSelfCloser = last !== undefined && compareDistance(this.#key, self, last.key) < 0;
      return this.#isIn(from, self) && isSelfCloser ? nodes.slice(0, -1) : nodes;
    });
  }

  /** Whether a node lies in the shell that begins there. */
  #isIn(from: number, node: KeyText): boolean {
    const closer = this.#closerThan(node);
    return closer >= from && closer < 2 * from;
  }

  /** Honest nodes that should be closer to the address than this one. */
  #closerThan(node: KeyText): number {
    return this.#nodes * distanceFraction(this.#key, node);
  }
}
