import { draw, type Random } from "../../base/index.ts";
import type { Contact } from "../wire/contact.ts";

/** Nodes that it was told of: as many as a saved table holds. */
const NAMED_MAX = 4_096;
/** Nodes that the table lost last, which are remembered. */
const LOST_MAX = 64;
/**
 * Nodes that it was told of, and that were not there: the first, since those tell of them that it
 * began with. Later ones must not take their places, since names of nobody cost nothing.
 */
const MISSED_MAX = 16;

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

  /** Those that the node was told of. */
  get named(): readonly Contact[] {
    return this.#named;
  }

  /**
   * The node was told of these, too. They come before those of earlier times, who stay: whoever has
   * answered since may lie.
   */
  name(contacts: readonly Contact[]): void {
    const keys = new Set(contacts.map(({ key }) => key));
    const others = this.#named.filter(({ key }) => !keys.has(key));
    this.#named = [...contacts, ...others].slice(0, NAMED_MAX);
  }

  get all(): readonly Contact[] {
    return [...this.#named, ...this.#lost, ...this.#missed];
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
    return draw(this.all, count, this.#random);
  }
}
