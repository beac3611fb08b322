import type { Random } from "../../base/index.ts";
import type { Contact } from "../wire/contact.ts";

/** Nodes that the table lost last, which are remembered. */
const LOST_MAX = 64;
/**
 * Nodes that it was told of, and that were not there: the first, since those tell of them that it
 * began with. Later ones must not take their places, since names of nobody cost nothing.
 */
const MISSED_MAX = 16;
/** Nodes that it was told of when it began, or began again. */
const NAMED_MAX = 8_192;
/** Of those that it was told of, and of those that it lost, so many are kept for its next life. */
const SAVED_MAX = 64;

/**
 * Who may lead back to a network that this node has lost, or to the part of it that was cut off:
 * the nodes that it was told of when it began, those that its table lost last, and the first of
 * which others told and that were not there.
 */
export class WaysBack {
  readonly #random: Random;
  #named: readonly Contact[] = [];
  #lost: readonly Contact[] = [];
  #missed: readonly Contact[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Those that the node was told of, the last first. */
  get named(): readonly Contact[] {
    return this.#named;
  }

  /** The node is told of these, beside those of before. */
  name(contacts: readonly Contact[]): void {
    const keys = new Set(contacts.map(({ key }) => key));
    const others = this.#named.filter(({ key }) => !keys.has(key));
    this.#named = [...contacts, ...others].slice(0, NAMED_MAX);
  }

  get all(): readonly Contact[] {
    return [...this.#named, ...this.#lost, ...this.#missed];
  }

  /** For the next life, some of each: who answers now may be one that nobody should know. */
  get saved(): readonly Contact[] {
    const lost = this.#lost.slice(-SAVED_MAX);
    return [...lost.reverse(), ...this.#named.slice(0, SAVED_MAX), ...this.#missed];
  }

  /** The table has lost a node; the oldest of many is forgotten. */
  lose(contact: Contact): void {
    const others = this.#lost.filter(({ key }) => key !== contact.key);
    this.#missed = this.#missed.filter(({ key }) => key !== contact.key);
    this.#lost = [...others.slice(1 - LOST_MAX), contact];
  }

  /** A node was not there that is not in the table. */
  miss(contact: Contact): void {
    if (!contact.isProvable || this.#missed.length >= MISSED_MAX) return;
    if (this.all.every(({ key }) => key !== contact.key)) this.#missed = [...this.#missed, contact];
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
