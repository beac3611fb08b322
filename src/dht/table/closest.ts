import type { Contact } from "../wire/contact.ts";
import { compareDistance, headOf, type KeyText } from "../wire/key.ts";

/** Up to so many are sorted by insertion, which is faster and allocates little. */
const INSERTED_MAX = 64;

/** Sorts in place, closest first. */
export function sortByDistance(target: KeyText, contacts: Contact[]): Contact[] {
  if (contacts.length > INSERTED_MAX) {
    return contacts.sort((a, b) => compareDistance(target, a.key, b.key));
  }
  const targetHead = headOf(target);
  const heads: number[] = [];
  for (let at = 0; at < contacts.length; at++) {
    const contact = contacts[at] as Contact;
    const head = targetHead ^ contact.head;
    let to = at;
    for (; to > 0; to--) {
      const before = heads[to - 1] as number;
      if (before < head) break;
      const other = contacts[to - 1] as Contact;
      if (before === head && compareDistance(target, other.key, contact.key) <= 0) break;
      contacts[to] = other;
      heads[to] = before;
    }
    contacts[to] = contact;
    heads[to] = head;
  }
  return contacts;
}

/**
 * Counts the contact in among `networks`; false when `max` of its network are counted already. One
 * without a network, or in a private one, needs no place.
 */
export function claimNetworkPlace(networks: number[], contact: Contact, max: number): boolean {
  const { network } = contact;
  if (network < 0 || (contact.isLocal && !contact.isMisplaced)) return true;
  let alike = 0;
  for (const other of networks) if (other === network) alike += 1;
  if (alike >= max) return false;
  networks.push(network);
  return true;
}
