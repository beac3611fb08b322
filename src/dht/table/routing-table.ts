import type { Instant } from "../../base/index.ts";
import type { DhtLimits } from "../limits.ts";
import type { Contact, IsWanted } from "../wire/contact.ts";
import { bitAt, HEAD_BITS, headOf, type KeyText, sharedBits } from "../wire/key.ts";
import { claimNetworkPlace, sortByDistance } from "./closest.ts";
import { HeardTimes } from "./heard-times.ts";
import { type Drawn, NetworkLots } from "./network-lots.ts";

/** A contact, and when it was heard last. */
export interface Heard {
  readonly contact: Contact;
  readonly heardAt: Instant;
}

/** What became of a contact that was shown to the table. */
export type Admission =
  | "known"
  | "added"
  /** Its bucket is full; if one of it is gone, there is a place. */
  | "full"
  /** Ourselves, a stranger's private address, one too many of its network or of its kind. */
  | "refused";

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
 * XOR metric, is a range of it: the sizes of the buckets say where each of them lies, halving finds
 * the rest. There are no bucket objects, and a contact costs two words beside itself.
 *
 * Only nodes that the carrier has spoken to belong in here. Long-known nodes stay (they live
 * longest): a newcomer to a full bucket waits in the replacement cache until one is gone. For most
 * places networks draw lots, too ({@link NetworkLots}); a lower one takes the place of a higher:
 * whoever came first to a joiner, or called most often, would have its whole table.
 *
 * Source: Maymounkov and Mazières, "Kademlia", 2002.
 */
export class RoutingTable {
  readonly #self: KeyText;
  /** Whether a node names a private address that is none of ours now. */
  readonly isElsewhere: IsWanted;
  readonly #limits: TableLimits;
  #contacts: Contact[] = [];
  /** In the same order. */
  #heardAt = new HeardTimes();
  /** How many share exactly so many leading bits with this node. */
  #sizes: number[] = [];
  readonly #replacements = new Map<number, Contact[]>();
  readonly #lots: NetworkLots;
  /** Of each full bucket who is the first to make room, once that was looked for. */
  readonly #highest = new Map<number, Drawn | undefined>();
  #isWhole = true;
  #claimed = 0;

  /**
   * @param options `secret`: 16 random bytes, for the lots of networks
   */
  constructor(options: {
    readonly self: KeyText;
    readonly secret: Uint8Array;
    readonly isElsewhere: IsWanted;
    readonly limits: TableLimits;
  }) {
    this.#self = options.self;
    this.isElsewhere = options.isElsewhere;
    this.#limits = options.limits;
    this.#lots = new NetworkLots(options.secret);
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

  /** What is known of the node itself, if it is proven; what somebody says of it, if not. */
  asKnown(said: Contact): Contact {
    const known = this.find(said.key);
    return known?.isProvable === true ? known : said;
  }

  /** Takes in a node that has just been heard, or what it says of itself now. */
  observe(contact: Contact, now: Instant): Admission {
    if (contact.key === this.#self) return "refused";
    const depth = sharedBits(this.#self, contact.key);
    const at = this.#indexOf(contact.key, depth);
    const known = this.#contacts[at];
    if (!known?.names(contact)) return this.#admit(contact, { at, depth, now });
    // A claim never takes the place of what was proven, nor one that nobody can use of any.
    if (known.isProvable && !contact.isProvable) return "refused";
    if (this.isElsewhere(contact)) return "refused";
    if (contact.isNewsAfter(known)) this.#replaceAt(at, contact);
    this.#heardAt.set(at, now);
    return "known";
  }

  /** Whether the node would be taken in, or remembered: worth asking if it lives. */
  wants(contact: Contact): boolean {
    const depth = sharedBits(this.#self, contact.key);
    if (contact.key === this.#self || this.#isFull(depth)) return false;
    return this.find(contact.key) === undefined && this.#isAcceptable(contact, depth);
  }

  /** Whether the node, which is not known, would be taken in although its bucket is full. */
  outdraws(contact: Contact): boolean {
    const depth = sharedBits(this.#self, contact.key);
    if (contact.key === this.#self || this.find(contact.key) !== undefined) return false;
    if (!this.#isFull(depth) || !this.#isAcceptable(contact, depth)) return false;
    return this.#displacedBy(contact, this.#lots.named(contact), depth) !== undefined;
  }

  /** The node has just been heard. */
  heard(key: KeyText, now: Instant): void {
    const at = this.#indexOf(key);
    if (this.#contacts[at]?.key === key) this.#heardAt.set(at, now);
  }

  /** The node is gone; one that waited beside its bucket takes its place. */
  remove(key: KeyText, now: Instant): void {
    const depth = sharedBits(this.#self, key);
    const waiting = this.#replacements.get(depth);
    const at = this.#indexOf(key, depth);
    if (this.#contacts[at]?.key !== key) {
      const index = waiting?.findIndex((contact) => contact.key === key) ?? -1;
      if (index >= 0) waiting?.splice(index, 1);
      return;
    }
    this.#removeAt(at, depth);
    const next = waiting?.pop();
    if (waiting?.length === 0) this.#replacements.delete(depth);
    if (next !== undefined) this.observe(next, now);
    if (this.size < this.#limits.wholeTableMax * WHOLE_AGAIN) this.#isWhole = true;
  }

  /**
   * Up to `count` contacts closest to `target`, closest first, at most `perNetworkMax` of one
   * network; without those that `isWanted` does not want.
   */
  closest(target: KeyText, count: number, isWanted: IsWanted = () => true): Contact[] {
    const picking: Picking = { target, count, isWanted, picked: [], networks: [] };
    // The bucket of the target is closest to it, then all deeper ones together, then the others.
    const own = sharedBits(this.#self, target);
    this.#pick(picking, this.#bucketAt(own), own + 1);
    this.#pick(picking, this.#beyond(own + 1), own + 1);
    for (let depth = Math.min(own, this.#sizes.length) - 1; depth >= 0; depth--) {
      this.#pick(picking, this.#bucketAt(depth), depth + 1);
    }
    return picking.picked;
  }

  /** The contact that was not heard for longest, of these or of all, and when it was. */
  leastRecentlyHeard(of?: readonly Contact[]): Heard | undefined {
    if (of === undefined) return this.#oldestOf([0, this.size]);
    let oldest: Heard | undefined;
    for (const contact of of) {
      const heardAt = this.#heardAt.at(this.#indexOf(contact.key));
      if (heardAt < (oldest?.heardAt ?? Number.POSITIVE_INFINITY)) oldest = { contact, heardAt };
    }
    return oldest;
  }

  /** The contact that was not heard for longest in the bucket of `key`. */
  leastRecentlyHeardBeside(key: KeyText): Heard | undefined {
    return this.#oldestOf(this.#bucketAt(sharedBits(this.#self, key)));
  }

  /** How many share exactly `depth` leading bits with this node. */
  sizeAt(depth: number): number {
    return this.#sizes[depth] ?? 0;
  }

  /** How many leading bits the deepest bucket shares with this node; buckets beyond are empty. */
  depth(): number {
    const deepest = this.#sizes.findLastIndex((size) => size > 0);
    return Math.max(deepest, 0);
  }

  #admit(
    contact: Contact,
    { at, depth, now }: { readonly at: number; readonly depth: number; readonly now: Instant },
  ): Admission {
    const isFull = this.#isFull(depth);
    const displaced = isFull && this.#displacedBy(contact, this.#lots.of(contact), depth);
    if (isFull && !displaced) {
      // Its network is looked at when there is a place for it.
      if (!contact.isProvable || this.isElsewhere(contact)) return "refused";
      this.#remember(contact, depth);
      return "full";
    }
    if (!this.#isAcceptable(contact, depth)) return "refused";
    if (displaced) this.#removeAt(this.#indexOf(displaced.key, depth), depth);
    const to = displaced ? this.#indexOf(contact.key, depth) : at;
    this.#contacts.splice(to, 0, contact);
    this.#heardAt.insert(to, now);
    while (this.#sizes.length <= depth) this.#sizes.push(0);
    this.#sizes[depth] = this.sizeAt(depth) + 1;
    this.#highest.delete(depth);
    if (!contact.isProvable) this.#claimed += 1;
    if (this.#isWhole && this.size > this.#limits.wholeTableMax) this.#cutDown();
    return "added";
  }

  #isAcceptable(contact: Contact, depth: number): boolean {
    if (!contact.isProvable && this.#claimed >= this.#limits.claimedMax) return false;
    if (contact.isLocal) return !this.isElsewhere(contact);
    const { network } = contact;
    if (network < 0) return true;
    const [from, to] = this.#bucketAt(depth);
    let alike = 0;
    for (let at = from; at < to; at++) if (this.#contacts[at]?.network === network) alike += 1;
    return alike < this.#limits.perNetworkMax;
  }

  #isFull(depth: number): boolean {
    return !this.#isWhole && this.sizeAt(depth) >= this.#capacity(depth);
  }

  /** Who makes room in a full bucket for a node whose network has drawn a lower lot. */
  #displacedBy({ allocation }: Contact, lot: number | undefined, depth: number) {
    if (lot === undefined) return undefined;
    const bucket = (): Contact[] => this.#contacts.slice(...this.#bucketAt(depth));
    if (!this.#highest.has(depth)) this.#highest.set(depth, this.#lots.highest(bucket()));
    const highest = this.#highest.get(depth);
    if (highest === undefined || lot >= highest.lot) return undefined;
    const alike = bucket().filter((other) => other.allocation === allocation);
    return alike.length < this.#limits.perNetworkMax ? highest.contact : undefined;
  }

  /** Places in a bucket, once there are buckets. */
  #capacity(depth: number): number {
    const { bucketSize, farBucketSize } = this.#limits;
    return Math.max(bucketSize, Math.floor(farBucketSize / (1 << Math.min(depth, 30))));
  }

  #remember(contact: Contact, depth: number): void {
    const waiting = this.#replacements.get(depth) ?? [];
    const known = waiting.findIndex((other) => other.names(contact));
    if (known >= 0) waiting.splice(known, 1);
    waiting.push(contact);
    if (waiting.length > this.#limits.replacementsMax) waiting.shift();
    this.#replacements.set(depth, waiting);
  }

  /** There are too many to keep everybody: low lots stay, and those that were heard last. */
  #cutDown(): void {
    this.#isWhole = false;
    this.#highest.clear();
    const kept: { contact: Contact; heardAt: Instant }[] = [];
    const sizes: number[] = [];
    for (let depth = 0; depth < this.#sizes.length; depth++) {
      const [from, to] = this.#bucketAt(depth);
      const bucket = this.#contacts.slice(from, to).map((contact, i) => {
        return { contact, heardAt: this.#heardAt.at(from + i) };
      });
      bucket.sort((a, b) => b.heardAt - a.heardAt);
      const { perNetworkMax } = this.#limits;
      const chosen = this.#lots.chosen(bucket, { places: this.#capacity(depth), perNetworkMax });
      sizes.push(chosen.length);
      kept.push(...chosen);
    }
    kept.sort((a, b) => (a.contact.key < b.contact.key ? -1 : 1));
    this.#contacts = kept.map(({ contact }) => contact);
    this.#heardAt = new HeardTimes(kept.map(({ heardAt }) => heardAt));
    this.#sizes = sizes;
    this.#claimed = kept.filter(({ contact }) => !contact.isProvable).length;
  }

  #replaceAt(at: number, contact: Contact): void {
    if (this.#contacts[at]?.isProvable === false && contact.isProvable) this.#claimed -= 1;
    this.#contacts[at] = contact;
    this.#highest.delete(sharedBits(this.#self, contact.key));
  }

  #removeAt(at: number, depth: number): void {
    if (this.#contacts[at]?.isProvable === false) this.#claimed -= 1;
    this.#contacts.splice(at, 1);
    this.#heardAt.remove(at);
    this.#sizes[depth] = this.sizeAt(depth) - 1;
    this.#highest.delete(depth);
  }

  #oldestOf([from, to]: Range): Heard | undefined {
    let oldest = from;
    for (let at = from + 1; at < to; at++) {
      if (this.#heardAt.at(at) < this.#heardAt.at(oldest)) oldest = at;
    }
    const contact = this.#contacts[oldest];
    return contact && { contact, heardAt: this.#heardAt.at(oldest) };
  }

  /** Where the key, which shares `depth` bits with this node, is or would be. */
  #indexOf(key: KeyText, depth: number = sharedBits(this.#self, key)): number {
    let [low, high] = this.#bucketAt(depth);
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

  /** Those who share exactly `depth` leading bits with this node. */
  #bucketAt(depth: number): Range {
    const [from, to] = this.#beyond(depth);
    const size = this.sizeAt(depth);
    return bitAt(this.#self, depth) === 1 ? [from, from + size] : [to - size, to];
  }

  /** Those who share at least `depth` leading bits with this node. */
  #beyond(depth: number): Range {
    let [from, to] = [0, this.size];
    for (let bit = 0; bit < depth && from < to; bit++) {
      // The keys of a bucket have the other bit than this node: they all come before it, or after.
      if (bitAt(this.#self, bit) === 1) from += this.sizeAt(bit);
      else to -= this.sizeAt(bit);
    }
    return [from, to];
  }

  /** The first of a range, whose keys share all bits before `bit`, that has a one there. */
  #splitAt([from, to]: Range, bit: number): number {
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

  /** Picks from a range, whose keys share all bits before `bit`: of its closer half first. */
  #pick(picking: Picking, [from, to]: Range, bit: number): void {
    const { target, count, isWanted, picked, networks } = picking;
    if (from === to || picked.length >= count) return;
    if (to - from > FEW) {
      const split = this.#splitAt([from, to], bit);
      const isOne = bitAt(target, bit) === 1;
      this.#pick(picking, isOne ? [split, to] : [from, split], bit + 1);
      this.#pick(picking, isOne ? [from, split] : [split, to], bit + 1);
      return;
    }
    for (const contact of sortByDistance(target, this.#contacts.slice(from, to))) {
      if (picked.length >= count) return;
      if (!isWanted(contact)) continue;
      if (claimNetworkPlace(networks, contact, this.#limits.perNetworkMax)) picked.push(contact);
    }
  }
}

/** A range of contacts. */
type Range = readonly [from: number, to: number];

/** A choice of the closest, as far as it has come. */
interface Picking {
  readonly target: KeyText;
  readonly count: number;
  readonly isWanted: IsWanted;
  readonly picked: Contact[];
  /** Of those that were picked. */
  readonly networks: number[];
}

/** Up to so many are sorted at once: a range of more is halved. */
const FEW = 16;
