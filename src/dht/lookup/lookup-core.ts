import { claimNetworkPlace } from "../table/closest.ts";
import type { Contact } from "../wire/contact.ts";
import { compareDistance, headOf, type KeyText } from "../wire/key.ts";

/** How far a lookup has come with one node. */
type CandidateState =
  | "fresh"
  | "asked"
  /** Late: another one is asked beside it, its answer still counts. */
  | "slow"
  /** Late twice: nobody waits for it any more, and its answer still counts. */
  | "silent"
  | "answered"
  | "failed"
  /** Another path of the same search asks it. */
  | "elsewhere";

interface Candidate {
  contact: Contact;
  readonly distance: number;
  /** Round trips that led here: 1 for a node that was known at the beginning. */
  hops: number;
  state: CandidateState;
}

/** Requests more at once for each node that was late. */
const MORE_PER_LATE = 2;

/** What one path of a search is made of. */
export interface LookupOptions {
  readonly self: KeyText;
  readonly target: KeyText;
  /** Nodes of the closest set that have to be heard; Kademlia's k. */
  readonly width: number;
  /** Requests at once; Kademlia's alpha. */
  readonly parallelism: number;
  /** Whether more may be asked at once when nodes are late; always, if absent. */
  readonly mayHurry?: () => boolean;
  readonly candidatesMax: number;
  /** Nodes to ask; then `width` more at most, of those that it has heard of already. */
  readonly askedMax: number;
  readonly perNetworkMax: number;
  /** Nodes that any path of the search has asked: shared, so that paths are disjoint. */
  readonly taken: Set<KeyText>;
  /** Whether a node owes an answer that is late: it is asked after the others. */
  readonly isLate?: (key: KeyText) => boolean;
}

/**
 * One path of an iterative lookup, without time: its owner says what became of each request.
 *
 * It asks the closest nodes it knows of, learns closer ones from their answers, and ends when the
 * `width` closest that are alive have answered: never while a closer known node is unasked. A late
 * node makes room for others at once and may still answer: where half are gone, one row of three
 * after the other would have to be waited for. Two of one network are as many as count. It asks
 * `askedMax` and `width` more at most, whatever is named.
 *
 * Source: Maymounkov and Mazières, "Kademlia", 2002; disjoint paths after Baumgart and Mies,
 * "S/Kademlia", 2007.
 */
export class LookupCore {
  readonly target: KeyText;
  readonly #options: LookupOptions;
  /** Closest first. */
  readonly #candidates: Candidate[] = [];
  readonly #byKey = new Map<KeyText, Candidate>();
  readonly #head: number;
  #asked = 0;
  #askedInAll = 0;
  #late = 0;
  /** Whether it follows nobody any more. */
  #isClosing = false;

  constructor(options: LookupOptions) {
    this.#options = options;
    this.target = options.target;
    this.#head = headOf(options.target);
  }

  /** Nodes to begin with, or that an answer `hops - 1` round trips away told of. */
  learn(contacts: readonly Contact[], hops = 1): void {
    if (this.#isClosing) return;
    for (const contact of contacts) {
      if (contact.key === this.#options.self || this.#byKey.has(contact.key)) continue;
      const distance = this.#head ^ contact.head;
      this.#insert({ contact, distance, hops, state: "fresh" });
    }
  }

  /** The next node to ask, or nothing while enough are asked or all that matter were. */
  next(): Contact | undefined {
    const { parallelism, taken, mayHurry = () => true } = this.#options;
    const more = this.#late > 0 && mayHurry() ? MORE_PER_LATE * this.#late : 0;
    if (this.#asked >= parallelism + more) return undefined;
    // Each one that is elsewhere makes room for another one in the front.
    for (;;) {
      const candidate = this.#nextFresh();
      if (candidate === undefined) return undefined;
      const { key } = candidate.contact;
      if (taken.has(key)) {
        candidate.state = "elsewhere";
        continue;
      }
      taken.add(key);
      candidate.state = "asked";
      this.#asked += 1;
      this.#askedInAll += 1;
      if (this.#askedInAll >= this.#options.askedMax) this.#close();
      return candidate.contact;
    }
  }

  /** Those known at the beginning are asked a round trip later than they might have been. */
  postpone(): void {
    for (const candidate of this.#candidates) {
      if (candidate.state === "fresh" && candidate.hops === 1) candidate.hops = 2;
    }
  }

  /** The round trips that an answer of this node took, those before it included. */
  hopsOf(key: KeyText): number {
    return this.#byKey.get(key)?.hops ?? 1;
  }

  /** The node has answered, and told of these. */
  answered(key: KeyText, contacts: readonly Contact[] = []): void {
    const candidate = this.#byKey.get(key);
    if (candidate === undefined) return;
    this.#move(candidate, "answered");
    this.learn(contacts, candidate.hops + 1);
  }

  /** The carrier has heard the node: it counts for where that was, whatever anybody says. */
  placed(contact: Contact): void {
    const candidate = this.#byKey.get(contact.key);
    if (candidate !== undefined) candidate.contact = contact;
  }

  /** The node is late: ask another one. */
  slow(key: KeyText): void {
    const candidate = this.#byKey.get(key);
    if (candidate?.state !== "asked") return;
    this.#late += 1;
    this.#move(candidate, "slow");
  }

  /** The node is late again: do without it. */
  silent(key: KeyText): void {
    const candidate = this.#byKey.get(key);
    const isWaitedFor = candidate?.state === "asked" || candidate?.state === "slow";
    if (isWaitedFor) this.#move(candidate, "silent");
  }

  /** The node is not there, or not what it should be. */
  failed(key: KeyText): void {
    const candidate = this.#byKey.get(key);
    if (candidate !== undefined) this.#move(candidate, "failed");
  }

  /** Whether the closest nodes that are alive have all been heard. */
  get isDone(): boolean {
    return this.#front().every(({ state }) => state === "answered");
  }

  /** The closest known nodes, closest first, that nothing speaks against. */
  front(): Contact[] {
    return this.#front().map(({ contact }) => contact);
  }

  #nextFresh(): Candidate | undefined {
    const fresh = this.#front().filter(({ state }) => state === "fresh");
    const { isLate = () => false } = this.#options;
    return fresh.find(({ contact }) => !isLate(contact.key)) ?? fresh[0];
  }

  /**
   * So many are asked where somebody names closer ones without end. Each of those lies a round trip
   * further than the one before, and honest nodes were named early: the last to be asked are these.
   */
  #close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const fresh = this.#candidates.filter(({ state }) => state === "fresh");
    // Stable: of those that are as far, the closest.
    const early = fresh.toSorted((a, b) => a.hops - b.hops).slice(0, this.#options.width);
    for (const candidate of fresh) if (!early.includes(candidate)) candidate.state = "elsewhere";
  }

  /** The `width` closest of those that are this path's own, and neither failed nor fell silent. */
  #front(): Candidate[] {
    const front: Candidate[] = [];
    const networks: number[] = [];
    // Whoever has names without end has networks without end, too.
    if (this.#isClosing) return this.#candidates.filter(({ state }) => !isOut(state));
    for (const candidate of this.#candidates) {
      if (isOut(candidate.state)) continue;
      if (!claimNetworkPlace(networks, candidate.contact, this.#options.perNetworkMax)) continue;
      front.push(candidate);
      if (front.length >= this.#options.width) break;
    }
    return front;
  }

  #move(candidate: Candidate, state: CandidateState): void {
    if (candidate.state === "asked") this.#asked -= 1;
    candidate.state = state;
  }

  #insert(candidate: Candidate): void {
    let [low, high] = [0, this.#candidates.length];
    // Most come in order.
    const last = this.#candidates.at(-1);
    if (last !== undefined && this.#isCloser(last, candidate)) low = high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isCloser(this.#candidates[middle] as Candidate, candidate)) low = middle + 1;
      else high = middle;
    }
    if (low >= this.#options.candidatesMax) return;
    if (low === this.#candidates.length) this.#candidates.push(candidate);
    else this.#candidates.splice(low, 0, candidate);
    this.#byKey.set(candidate.contact.key, candidate);
    if (this.#candidates.length > this.#options.candidatesMax) this.#dropFurthest();
  }

  /** What was asked stays: its answer is on the way. */
  #dropFurthest(): void {
    for (let at = this.#candidates.length - 1; at >= 0; at--) {
      const { state, contact } = this.#candidates[at] as Candidate;
      if (state === "asked" || state === "slow") continue;
      this.#candidates.splice(at, 1);
      this.#byKey.delete(contact.key);
      return;
    }
  }

  #isCloser(a: Candidate, b: Candidate): boolean {
    if (a.distance !== b.distance) return a.distance < b.distance;
    return compareDistance(this.target, a.contact.key, b.contact.key) < 0;
  }
}

function isOut(state: CandidateState): boolean {
  return state === "failed" || state === "silent" || state === "elsewhere";
}
