import { CONTACTS_MAX, type VoidphoneContact } from "./peer-messages.ts";
import { addressOf } from "./peer-table.ts";
import { xorDistance } from "./xor-distance.ts";

/** Candidates of one lookup, the farthest of which are forgotten; and peers that it asks at all. */
const CANDIDATES_MAX = 256;

interface Candidate {
  readonly contact: VoidphoneContact;
  readonly distance: string;
  state: "unasked" | "asked" | "answered" | "failed";
}

/**
 * An iterative Kademlia lookup: asks the closest that it knows of, a few at a time, and is done
 * when the closest that are left have all answered. It never ends while a closer known one is
 * unasked, until it has asked as many as it may. Candidates are told apart by their address: ids
 * cost a liar nothing.
 */
export class PeerLookup {
  readonly #target: Uint8Array;
  readonly #parallel: number;
  readonly #byAddress = new Map<string, Candidate>();
  /** Closest first. */
  #candidates: Candidate[] = [];
  /** Those that were asked, and those whose answer is awaited. */
  #askedCount = 0;
  #openCount = 0;

  constructor(target: Uint8Array, options: { readonly parallel: number }) {
    this.#target = target;
    this.#parallel = options.parallel;
  }

  /** Takes in who might know more. */
  add(contacts: readonly VoidphoneContact[]): void {
    for (const contact of contacts) {
      const address = addressOf(contact);
      if (this.#byAddress.has(address)) continue;
      this.#place(contact, "unasked");
    }
    this.#forgetFarthest();
  }

  /**
   * Whom to ask now, marked as asked; `undefined` while enough are being asked, or nobody is left.
   */
  next(): VoidphoneContact | undefined {
    if (this.#openCount >= this.#parallel || this.#isExhausted) return undefined;
    const candidate = this.#closest().find(({ state }) => state === "unasked");
    if (candidate === undefined) return undefined;
    candidate.state = "asked";
    this.#askedCount += 1;
    this.#openCount += 1;
    return candidate.contact;
  }

  /**
   * Somebody has answered, and is where the id that it shows is: whoever was named under another
   * one has gone, or never was there.
   */
  answered(contact: VoidphoneContact): void {
    const known = this.#byAddress.get(addressOf(contact));
    if (known?.state === "asked") this.#openCount -= 1;
    this.#candidates = this.#candidates.filter((candidate) => candidate !== known);
    this.#place(contact, "answered");
    this.#forgetFarthest();
  }

  /** Somebody who was asked has not answered. */
  failed(contact: VoidphoneContact): void {
    const candidate = this.#byAddress.get(addressOf(contact));
    if (candidate?.state !== "asked") return;
    candidate.state = "failed";
    this.#openCount -= 1;
  }

  get isDone(): boolean {
    if (this.#openCount > 0) return false;
    return this.#isExhausted || this.#closest().every(({ state }) => state === "answered");
  }

  /** The closest that have answered. */
  found(): VoidphoneContact[] {
    const answered = this.#candidates.filter(({ state }) => state === "answered");
    return answered.slice(0, CONTACTS_MAX).map(({ contact }) => contact);
  }

  /** Liars can name ever closer ones: somebody else's machine, as often as not. */
  get #isExhausted(): boolean {
    return this.#askedCount >= CANDIDATES_MAX;
  }

  /** The closest that may still be there. */
  #closest(): Candidate[] {
    return this.#candidates.filter(({ state }) => state !== "failed").slice(0, CONTACTS_MAX);
  }

  #place(contact: VoidphoneContact, state: Candidate["state"]): void {
    const candidate = { contact, distance: xorDistance(contact.id, this.#target), state };
    this.#byAddress.set(addressOf(contact), candidate);
    this.#candidates.push(candidate);
  }

  #forgetFarthest(): void {
    this.#candidates.sort((a, b) => (a.distance < b.distance ? -1 : 1));
    for (const { contact, state } of this.#candidates.splice(CANDIDATES_MAX)) {
      // What was asked stays known, so that it is not asked again.
      if (state === "unasked") this.#byAddress.delete(addressOf(contact));
    }
  }
}
