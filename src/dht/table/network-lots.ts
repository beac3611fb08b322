import { KeyedHash } from "../../base/index.ts";
import type { Contact } from "../wire/contact.ts";

/** The part of all networks, and of the places of a full bucket, for which lots are drawn. */
const DRAWN_SHARE = 3 / 4;

/** What is hashed, of all nodes of a process: most of the secret comes in behind the first word. */
const WORDS = new Uint32Array(4);
const BYTES = new Uint8Array(WORDS.buffer);

/** A contact for whose place others draw, and its own lot: the lowest stay. */
export interface Drawn {
  readonly contact: Contact;
  readonly lot: number;
}

/**
 * Each network draws one lot at this node, by a hash that nobody else can compute, and a quarter of
 * them draw none. Coming first, calling often and having many ids win nothing: networks do, /24 of
 * IPv4 and /32 of IPv6, of which a smaller one costs next to nothing.
 *
 * Source: the samplers of Bortnikov et al., "Brahms: Byzantine resilient random membership
 * sampling", 2009.
 */
export class NetworkLots {
  readonly #hash: KeyedHash;

  /** @param secret 16 random bytes */
  constructor(secret: Uint8Array) {
    this.#hash = new KeyedHash(secret);
  }

  /** Its lot; none unless the carrier has placed it in a public network, which draws one. */
  of(contact: Contact): number | undefined {
    return contact.isPlaced ? this.named(contact) : undefined;
  }

  /** The lot that it would have in the network that it is said to be in. */
  named({ network, allocation, isLocal, isProvable }: Contact): number | undefined {
    if (network < 0 || isLocal || !isProvable) return undefined;
    WORDS[0] = allocation;
    const lot = this.#hash.of(BYTES) / 2 ** 32;
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

  /** So many of these: low lots for their share, few of one network, then by the order given. */
  chosen<Kept extends { readonly contact: Contact }>(
    from: readonly Kept[],
    { places, perNetworkMax }: { readonly places: number; readonly perNetworkMax: number },
  ): Kept[] {
    const drawn = from
      .map((kept) => ({ kept, lot: this.of(kept.contact) ?? 1 }))
      .filter(({ lot }) => lot < DRAWN_SHARE)
      .sort((a, b) => a.lot - b.lot)
      // Those of one network have one lot, and lie side by side.
      .filter(({ lot }, at, all) => all[at - perNetworkMax]?.lot !== lot);
    const first = new Set(drawn.slice(0, Math.round(DRAWN_SHARE * places)).map(({ kept }) => kept));
    return [...first, ...from.filter((kept) => !first.has(kept))].slice(0, places);
  }
}
