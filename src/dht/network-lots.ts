import { KeyedHash } from "../base/index.ts";
import type { Contact } from "./contact.ts";

/** The part of all networks, and of the places of a full bucket, for which lots are drawn. */
const DRAWN_SHARE = 3 / 4;

/** A contact for whose place others draw, and its own lot: the lowest stay. */
export interface Drawn {
  readonly contact: Contact;
  readonly lot: number;
}

/**
 * Each network draws one lot at this node, by a hash that nobody else can compute, and a quarter of
 * them draw none. Coming first, calling often and having many ids win nothing: networks do.
 *
 * Source: the samplers of Bortnikov et al., "Brahms: Byzantine resilient random membership
 * sampling", 2009.
 */
export class NetworkLots {
  readonly #hash: KeyedHash;
  readonly #words = new Uint32Array(2);
  readonly #bytes = new Uint8Array(this.#words.buffer);

  /** @param secret 16 random bytes */
  constructor(secret: Uint8Array) {
    this.#hash = new KeyedHash(secret);
  }

  /** Its lot; none for who is not proven, or in no public network, or whose network draws none. */
  of({ network, isLocal, isProvable }: Contact): number | undefined {
    if (network < 0 || isLocal || !isProvable) return undefined;
    this.#words[0] = network;
    this.#words[1] = network / 2 ** 32;
    const lot = this.#hash.of(this.#bytes) / 2 ** 32;
    return lot < DRAWN_SHARE ? lot : undefined;
  }

  /** The first of these to give its place away. */
  highest(contacts: readonly Contact[]): Drawn | undefined {
    let highest: Drawn | undefined;
    for (const contact of contacts) {
      const lot = this.of(contact);
      if (lot !== undefined && lot > (highest?.lot ?? -1)) highest = { contact, lot };
    }
    return highest;
  }

  /** So many of these: low lots for their share of the places, then by the order given. */
  chosen<Kept extends { readonly contact: Contact }>(
    from: readonly Kept[],
    places: number,
  ): Kept[] {
    const drawn = from
      .map((kept) => ({ kept, lot: this.of(kept.contact) ?? 1 }))
      .filter(({ lot }) => lot < DRAWN_SHARE)
      .sort((a, b) => a.lot - b.lot);
    const first = new Set(drawn.slice(0, Math.round(DRAWN_SHARE * places)).map(({ kept }) => kept));
    return [...first, ...from.filter((kept) => !first.has(kept))].slice(0, places);
  }
}
