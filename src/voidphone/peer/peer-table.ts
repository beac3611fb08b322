import { equalBytes } from "../../base/index.ts";
import type { PeerAddress, VoidphoneContact } from "./peer-messages.ts";
import { sortedByDistance } from "./xor-distance.ts";

/** Contacts that have answered, and as many that were only heard of. Some 300 bytes each. */
export const TABLE_HALF_MAX = 256;

/** Where a peer is reached: what it is known by here, since its id is not proven. */
export function addressOf({ host, port }: PeerAddress): string {
  return `${host} ${port}`;
}

/**
 * Peers of a foreign network. Those that have answered us are kept apart from those that we were
 * told of: no flood of names pushes out who is there.
 */
export class PeerTable {
  /** Least recently heard first, by address. */
  readonly #proven = new Map<string, VoidphoneContact>();
  readonly #heardOf = new Map<string, VoidphoneContact>();

  /** It has answered. */
  answered(contact: VoidphoneContact): void {
    const address = addressOf(contact);
    this.#heardOf.delete(address);
    keep(this.#proven, contact);
  }

  /** Somebody has named it. What it has shown itself counts more. */
  heardOf(contact: VoidphoneContact): void {
    if (!this.#proven.has(addressOf(contact))) keep(this.#heardOf, contact);
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
    this.#proven.delete(address);
    this.#heardOf.delete(address);
    if (contact !== undefined) keep(this.#heardOf, contact);
  }

  /** Up to `count` contacts, the closest to `target` first. */
  closest(target: Uint8Array, count: number): VoidphoneContact[] {
    const all = [...this.#proven.values(), ...this.#heardOf.values()];
    return sortedByDistance(all, target).slice(0, count);
  }
}

function keep(half: Map<string, VoidphoneContact>, contact: VoidphoneContact): void {
  const address = addressOf(contact);
  half.delete(address);
  const [oldest] = half.keys();
  if (half.size >= TABLE_HALF_MAX && oldest !== undefined) half.delete(oldest);
  // A copy: the id is a view of a message.
  half.set(address, { ...contact, id: contact.id.slice() });
}
