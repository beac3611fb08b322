import type { Random } from "../../base/index.ts";
import type { Contact } from "../wire/contact.ts";

/** Nodes that the table lost last, which are remembered. */
const LOST_MAX = 64;

/**
 * Who may lead back to a network that this node has lost, or to the part of it that was cut off:
 * the nodes that it was told of when it began, and those that its table lost last.
 */
export class WaysBack {
  readonly #random: Random;
  #named: readonly Contact[] = [];
  #lost: readonly Contact[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Those that the node was told of. */
  get named(): readonly Contact[] {
    return this.#named;
  }

  set named(contacts: readonly Contact[]) {
    this.#named = contacts;
  }

  get all(): readonly Contact[] {
    return [...this.#named, ...this.#lost];
  }

  /** The table has lost a node; the oldest of many is forgotten. */
  lose(contact: Contact): void {
    const others = this.#lost.filter(({ key }) => key !== contact.key);
    this.#lost = [...others.slice(1 - LOST_MAX), contact];
  }

  /** So many of them, drawn anew each time. */
  some(count: number): readonly Contact[] {
    const left = [...this.all];
    const drawn: Contact[] = [];
    while (drawn.length < count && left.length > 0) {
      drawn.push(...left.splice(Math.floor(this.#random.unit() * left.length), 1));
    }
    return drawn;
  }
}
