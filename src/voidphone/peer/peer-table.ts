import { equalBytes, utf8 } from "../../base/index.ts";
import { crypto } from "../../crypto/index.ts";
import type { PeerAddress, VoidphoneContact } from "./peer-messages.ts";
import { sortedByDistance } from "./xor-distance.ts";

/** Contacts that have answered; as many only heard of, and without a name. 300 bytes each. */
export const TABLE_HALF_MAX = 256;

/** Where a peer is reached: what it is known by here, since its id is not proven. */
export function addressOf({ host, port }: PeerAddress): string {
  return `${host} ${port}`;
}

/** A peer whose id nobody has told. */
interface Nameless {
  /** Under an id of our making, by which it has a place among the others. */
  readonly contact: VoidphoneContact;
  readonly hasFailed: boolean;
}

/**
 * Peers of a foreign network. Those that have answered us are kept apart from those that we were
 * told of: no flood of names pushes out who is there.
 */
export class PeerTable {
  /** Least recently heard first, by address. */
  readonly #proven = new Map<string, VoidphoneContact>();
  readonly #heardOf = new Map<string, VoidphoneContact>();
  /** Asked like the others, and named to nobody. */
  readonly #nameless = new Map<string, Nameless>();

  /** It has answered. */
  answered(contact: VoidphoneContact): void {
    const address = addressOf(contact);
    if (isNameless(contact)) {
      this.answeredNameless(contact);
      return;
    }
    this.#heardOf.delete(address);
    this.#nameless.delete(address);
    keepContact(this.#proven, contact);
  }

  /**
   * It has answered, and neither it nor anybody else has told its id: a peer of the dialect
   * `midterm` need not name itself.
   *
   * @returns what it is known by until somebody does; `undefined` when its id is known
   */
  answeredNameless(peer: PeerAddress): VoidphoneContact | undefined {
    const address = addressOf(peer);
    if (this.#proven.has(address) || this.#heardOf.has(address)) return undefined;
    const { host, port } = peer;
    const contact = { id: idInPlace(peer), host, port };
    keep(this.#nameless, address, { contact, hasFailed: false });
    return contact;
  }

  /** Somebody has named it. What it has shown itself counts more. */
  heardOf(contact: VoidphoneContact): void {
    this.#nameless.delete(addressOf(contact));
    if (!this.#proven.has(addressOf(contact))) keepContact(this.#heardOf, contact);
  }

  /**
   * It has spoken to us from that host. Who answered there under another id has gone: peers that
   * start anew take another id at their old port.
   */
  spoke(contact: VoidphoneContact): void {
    const address = addressOf(contact);
    const known = this.#proven.get(address);
    if (known !== undefined && !equalBytes(known.id, contact.id)) this.#proven.delete(address);
    this.heardOf(contact);
  }

  /** It has not answered: at first it is only somebody that we were told of, then nobody. */
  failed(peer: PeerAddress): void {
    const address = addressOf(peer);
    const contact = this.#proven.get(address);
    const nameless = this.#nameless.get(address);
    this.#proven.delete(address);
    this.#heardOf.delete(address);
    this.#nameless.delete(address);
    if (contact !== undefined) keepContact(this.#heardOf, contact);
    else if (nameless?.hasFailed === false) {
      keep(this.#nameless, address, { ...nameless, hasFailed: true });
    }
  }

  /** All whom a lookup may ask, the closest to `target` first. */
  askable(target: Uint8Array): VoidphoneContact[] {
    const nameless = [...this.#nameless.values()].map(({ contact }) => contact);
    const named = this.closest(target, Number.POSITIVE_INFINITY);
    return sortedByDistance([...named, ...nameless], target);
  }

  /** Up to `count` contacts, the closest to `target` first. */
  closest(target: Uint8Array, count: number): VoidphoneContact[] {
    const all = [...this.#proven.values(), ...this.#heardOf.values()];
    return sortedByDistance(all, target).slice(0, count);
  }
}

/** Whether its id is one of our making. */
export function isNameless(contact: VoidphoneContact): boolean {
  return equalBytes(contact.id, idInPlace(contact));
}

/** In the place of an id that nobody has told. */
function idInPlace(peer: PeerAddress): Uint8Array {
  return crypto().sha256(utf8(addressOf(peer)));
}

function keepContact(half: Map<string, VoidphoneContact>, contact: VoidphoneContact): void {
  // A copy: the id is a view of a message.
  keep(half, addressOf(contact), { ...contact, id: contact.id.slice() });
}

function keep<Kept>(half: Map<string, Kept>, address: string, kept: Kept): void {
  half.delete(address);
  const [oldest] = half.keys();
  if (half.size >= TABLE_HALF_MAX && oldest !== undefined) half.delete(oldest);
  half.set(address, kept);
}
