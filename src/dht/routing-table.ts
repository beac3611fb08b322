import { assert, type Instant } from "../base/index.ts";
import type { Contact } from "./contact.ts";
import { bitAt, compareDistance, HEAD_BITS, headOf, type KeyText, sharedBits } from "./key.ts";
import type { DhtLimits } from "./limits.ts";

/** A contact, and when it was heard last. */
export interface Heard {
  readonly contact: Contact;
  readonly heardAt: Instant;
}

/** What became of a contact that was shown to the table. */
export type Admission =
  | { readonly kind: "known" }
  | { readonly kind: "added" }
  /** Its bucket is full; if `oldest` is gone, there is a place. */
  | { readonly kind: "full"; readonly oldest: Heard }
  /** Ourselves, a stranger's private address, one too many of its network or of its kind. */
  | { readonly kind: "refused" };

type TableLimits = Pick<
  DhtLimits,
  | "bucketSize"
  | "farBucketSize"
  | "wholeTableMax"
  | "replacementsMax"
  | "perNetworkMax"
  | "claimedMax"
>;

/** Below this share of `wholeTableMax` a table that was cut down keeps everybody again. */
const WHOLE_AGAIN = 1 / 8;

/**
 * Who a node knows: everybody while they are few, then Kademlia's buckets, the far ones larger.
 *
 * The contacts lie in one array in the order of their keys. A bucket, and any neighbourhood in the
 * XOR metric, is a range of it, found by halving: there are no bucket objects, and a contact costs
 * two words beside itself.
 *
 * Only nodes that the carrier has spoken to belong in here. Long-known nodes stay (they live
 * longest): a newcomer to a full bucket waits in the replacement cache until one is gone.
 *
 * Source: Maymounkov and Mazières, "Kademlia", 2002.
 */
export class RoutingTable {
  readonly #self: KeyText;
  readonly #isLocal: boolean;
  readonly #limits: TableLimits;
  #contacts: Contact[] = [];
  /** When each contact was heard last, in the same order. */
  #heardAt: Instant[] = [];
  readonly #replacements = new Map<number, Contact[]>();
  #isWhole = true;
  #claimed = 0;

  /**
   * @param options `isLocal`: this node lives in a private network, whose addresses mean nothing
   */
  constructor(options: {
    readonly self: KeyText;
    readonly isLocal: boolean;
    readonly limits: TableLimits;
  }) {
    this.#self = options.self;
    this.#isLocal = options.isLocal;
    this.#limits = options.limits;
  }

  get size(): number {
    return this.#contacts.length;
  }

  /** Whether everybody who was met is kept. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** All contacts, in the order of their keys: shared, not to be written to. */
  get contacts(): readonly Contact[] {
    return this.#contacts;
  }

  find(key: KeyText): Contact | undefined {
    const at = this.#indexOf(key);
    return this.#contacts[at]?.key === key ? this.#contacts[at] : undefined;
  }

  /** Takes in a node that has just been heard, or what it says of itself now. */
  observe(contact: Contact, now: Instant): Admission {
    if (contact.key === this.#self) return { kind: "refused" };
    const at = this.#indexOf(contact.key);
    const known = this.#contacts[at];
    if (known?.key === contact.key) {
      // A claim never takes the place of what was proven.
      if (known.isProvable && !contact.isProvable) return { kind: "refused" };
      if (!known.equals(contact)) this.#replaceAt(at, contact);
      this.#heardAt[at] = now;
      return { kind: "known" };
    }
    return this.#admit(contact, at, now);
  }

  /** Whether the node would be taken in, or remembered: worth asking if it lives. */
  wants(contact: Contact): boolean {
    if (contact.key === this.#self || this.find(contact.key) !== undefined) return false;
    const range = this.#bucketOf(contact.key);
    return this.#isAcceptable(contact, range) && range[1] - range[0] < this.#capacity(range);
  }

  /** The node has just been heard. */
  heard(key: KeyText, now: Instant): void {
    const at = this.#indexOf(key);
    if (this.#contacts[at]?.key === key) this.#heardAt[at] = now;
  }

  /** The node is gone; one that waited beside its bucket takes its place. */
  remove(key: KeyText, now: Instant): void {
    const depth = sharedBits(this.#self, key);
    const waiting = this.#replacements.get(depth);
    const at = this.#indexOf(key);
    if (this.#contacts[at]?.key !== key) {
      const index = waiting?.findIndex((contact) => contact.key === key) ?? -1;
      if (index >= 0) waiting?.splice(index, 1);
      return;
    }
    this.#removeAt(at);
    const next = waiting?.pop();
    if (waiting?.length === 0) this.#replacements.delete(depth);
    if (next !== undefined) this.observe(next, now);
    if (this.size < this.#limits.wholeTableMax * WHOLE_AGAIN) this.#isWhole = true;
  }

  /**
   * Up to `count` contacts closest to `target`, closest first, at most `perNetworkMax` of one
   * network; without those that `isWanted` does not want.
   */
  closest(
    target: KeyText,
    count: number,
    isWanted: (contact: Contact) => boolean = () => true,
  ): Contact[] {
    const ranges = this.#rangesAround(target, count);
    for (let range = ranges.pop(); ; range = ranges.pop()) {
      if (range === undefined) return [];
      const picked = this.#pick(target, range, count, isWanted);
      if (picked.length >= count || ranges.length === 0) return picked;
    }
  }

  /** The contact that was not heard for longest, of these or of all, and when it was. */
  leastRecentlyHeard(of?: readonly Contact[]): Heard | undefined {
    if (of === undefined) return this.#oldestOf([0, this.size]);
    let oldest: Heard | undefined;
    for (const contact of of) {
      const heardAt = this.#heardAt[this.#indexOf(contact.key)] ?? 0;
      if (heardAt < (oldest?.heardAt ?? Number.POSITIVE_INFINITY)) oldest = { contact, heardAt };
    }
    return oldest;
  }

  /** How many share exactly `depth` leading bits with this node. */
  sizeAt(depth: number): number {
    const [from, to] = this.#bucketAt(depth);
    return to - from;
  }

  /** How many leading bits the deepest bucket shares with this node; buckets beyond are empty. */
  depth(): number {
    const [nearest] = this.closest(this.#self, 1);
    return nearest === undefined ? 0 : sharedBits(this.#self, nearest.key);
  }

  #admit(contact: Contact, at: number, now: Instant): Admission {
    const range = this.#bucketOf(contact.key);
    if (range[1] - range[0] >= this.#capacity(range)) {
      // Its network is looked at when there is a place for it.
      if (!contact.isProvable || (contact.isLocal && !this.#isLocal)) return { kind: "refused" };
      this.#remember(contact);
      const oldest = this.#oldestOf(range);
      assert(oldest !== undefined, "a full bucket is not empty");
      return { kind: "full", oldest };
    }
    if (!this.#isAcceptable(contact, range)) return { kind: "refused" };
    this.#contacts.splice(at, 0, contact);
    this.#heardAt.splice(at, 0, now);
    if (!contact.isProvable) this.#claimed += 1;
    if (this.#isWhole && this.size > this.#limits.wholeTableMax) this.#cutDown();
    return { kind: "added" };
  }

  #isAcceptable(contact: Contact, [from, to]: Range): boolean {
    if (!contact.isProvable && this.#claimed >= this.#limits.claimedMax) return false;
    if (contact.isLocal) return this.#isLocal;
    const { network } = contact;
    if (network < 0) return true;
    let alike = 0;
    for (let at = from; at < to; at++) if (this.#contacts[at]?.network === network) alike += 1;
    return alike < this.#limits.perNetworkMax;
  }

  #capacity([, , depth]: Range): number {
    const { bucketSize, farBucketSize } = this.#limits;
    if (this.#isWhole) return Number.POSITIVE_INFINITY;
    return Math.max(bucketSize, Math.floor(farBucketSize / 2 ** Math.min(depth, 30)));
  }

  #remember(contact: Contact): void {
    const depth = sharedBits(this.#self, contact.key);
    const waiting = this.#replacements.get(depth) ?? [];
    const known = waiting.findIndex(({ key }) => key === contact.key);
    if (known >= 0) waiting.splice(known, 1);
    waiting.push(contact);
    if (waiting.length > this.#limits.replacementsMax) waiting.shift();
    this.#replacements.set(depth, waiting);
  }

  /** There are too many to keep everybody: every bucket keeps those that were heard last. */
  #cutDown(): void {
    this.#isWhole = false;
    const kept: { contact: Contact; heardAt: Instant }[] = [];
    const deepest = this.depth();
    for (let depth = 0; depth <= deepest; depth++) {
      const range = this.#bucketAt(depth);
      const bucket = this.#contacts.slice(range[0], range[1]).map((contact, i) => {
        return { contact, heardAt: this.#heardAt[range[0] + i] ?? 0 };
      });
      bucket.sort((a, b) => b.heardAt - a.heardAt);
      kept.push(...bucket.slice(0, this.#capacity(range)));
    }
    kept.sort((a, b) => (a.contact.key < b.contact.key ? -1 : 1));
    this.#contacts = kept.map(({ contact }) => contact);
    this.#heardAt = kept.map(({ heardAt }) => heardAt);
    this.#claimed = kept.filter(({ contact }) => !contact.isProvable).length;
  }

  #replaceAt(at: number, contact: Contact): void {
    if (this.#contacts[at]?.isProvable === false && contact.isProvable) this.#claimed -= 1;
    this.#contacts[at] = contact;
  }

  #removeAt(at: number): void {
    if (this.#contacts[at]?.isProvable === false) this.#claimed -= 1;
    this.#contacts.splice(at, 1);
    this.#heardAt.splice(at, 1);
  }

  #oldestOf([from, to]: readonly [number, number, ...unknown[]]): Heard | undefined {
    let oldest = from;
    for (let at = from + 1; at < to; at++) {
      if ((this.#heardAt[at] ?? 0) < (this.#heardAt[oldest] ?? 0)) oldest = at;
    }
    const contact = this.#contacts[oldest];
    return contact && { contact, heardAt: this.#heardAt[oldest] ?? 0 };
  }

  /** Where the key is, or would be. */
  #indexOf(key: KeyText): number {
    let [low, high] = [0, this.size];
    const head = headOf(key);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const contact = this.#contacts[middle] as Contact;
      const isBefore = contact.head === head ? contact.key < key : contact.head < head;
      if (isBefore) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #bucketOf(key: KeyText): Range {
    return this.#bucketAt(sharedBits(this.#self, key));
  }

  /** Those who share exactly `depth` leading bits with this node. */
  #bucketAt(depth: number): Range {
    let [from, to] = [0, this.size];
    for (let bit = 0; from < to; bit++) {
      const split = this.#splitAt(from, to, bit);
      const isOneHere = bitAt(this.#self, bit) === 1;
      if (bit === depth) return isOneHere ? [from, split, depth] : [split, to, depth];
      if (isOneHere) from = split;
      else to = split;
    }
    return [from, from, depth];
  }

  /** Ever narrower ranges around `target`; the last one still has `count` contacts, if any has. */
  #rangesAround(target: KeyText, count: number): [number, number][] {
    let [from, to] = [0, this.size];
    const ranges: [number, number][] = [[from, to]];
    for (let bit = 0; to - from > count; bit++) {
      const split = this.#splitAt(from, to, bit);
      if (bitAt(target, bit) === 1) from = split;
      else to = split;
      if (to - from < count) break;
      ranges.push([from, to]);
    }
    return ranges;
  }

  /** The first of a range, whose keys share all bits before `bit`, that has a one there. */
  #splitAt(from: number, to: number, bit: number): number {
    let [low, high] = [from, to];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { head, key } = this.#contacts[middle] as Contact;
      const isZero =
        (bit < HEAD_BITS ? (head >> (HEAD_BITS - 1 - bit)) & 1 : bitAt(key, bit)) === 0;
      if (isZero) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #pick(
    target: KeyText,
    [from, to]: readonly [number, number],
    count: number,
    isWanted: (contact: Contact) => boolean,
  ): Contact[] {
    const picked: Contact[] = [];
    const networks = new Map<number, number>();
    for (const contact of sortByDistance(target, this.#contacts.slice(from, to))) {
      if (picked.length >= count) break;
      if (!isWanted(contact) || !isDiverse(networks, contact, this.#limits.perNetworkMax)) continue;
      picked.push(contact);
    }
    return picked;
  }
}

/** Up to so many are sorted by insertion, which is faster and allocates nothing. */
const FEW = 64;

/** Sorts in place, closest first. */
export function sortByDistance(target: KeyText, contacts: Contact[]): Contact[] {
  if (contacts.length > FEW) {
    return contacts.sort((a, b) => compareDistance(target, a.key, b.key));
  }
  const targetHead = headOf(target);
  const heads: number[] = [];
  for (const [at, contact] of contacts.entries()) {
    const head = targetHead ^ contact.head;
    let to = at;
    for (; to > 0; to--) {
      const [other, before] = [contacts[to - 1] as Contact, heads[to - 1] as number];
      const isAfter = before === head && compareDistance(target, other.key, contact.key) > 0;
      if (before < head || (before === head && !isAfter)) break;
      contacts[to] = other;
      heads[to] = before;
    }
    contacts[to] = contact;
    heads[to] = head;
  }
  return contacts;
}

/** From, to, and how many leading bits the contacts share with this node. */
type Range = readonly [from: number, to: number, depth: number];

/** Counts the contact in, unless `max` of its network are counted already. */
export function isDiverse(networks: Map<number, number>, contact: Contact, max: number): boolean {
  const { network } = contact;
  if (network < 0 || contact.isLocal) return true;
  const alike = networks.get(network) ?? 0;
  if (alike >= max) return false;
  networks.set(network, alike + 1);
  return true;
}
