import { assert, type Instant } from "../../base/index.ts";
import { type DhtContext, estimatedNodes } from "../exchange/dht-context.ts";
import type { ExchangeOwner } from "../exchange/exchange-desk.ts";
import { claimNetworkPlace, sortByDistance } from "../table/closest.ts";
import type { Contact, IsWanted } from "../wire/contact.ts";
import { type KeyText, keyBeside, sharedBits, textBytes } from "../wire/key.ts";
import type { DhtRequest, DhtResponse } from "../wire/message.ts";
import { LookupCore } from "./lookup-core.ts";

/** A node that has answered. */
export interface Answerer {
  readonly contact: Contact;
  /** For stores from an address that is not proven. */
  readonly token: Uint8Array | undefined;
}

/** What a search is for. */
export interface SearchHooks {
  /** What is asked of each node, on the path to `near`. */
  requestNear(near: Uint8Array): DhtRequest;
  /** An answer that is no list of nodes; false when it is none to this request. */
  took(contact: Contact, response: DhtResponse, hops: number, now: Instant): boolean;
  /** First sign that it takes longer than it should. */
  late(): void;
  /** Nobody is left to ask. Not called after `stop`. */
  ended(now: Instant): void;
  /** Whether another search for the same key has to find the same nodes beside a crowd. */
  readonly isRepeatable?: boolean;
}

interface Path {
  readonly lookup: LookupCore;
  readonly near: Uint8Array;
  /** Who is looked at on it, if not everybody. */
  readonly isOn: IsWanted;
}

/** Width and requests at once of one of many paths, and nodes that each begins with. */
const SIDE_PATH = { width: 5, parallelism: 1, seeds: 3 } as const;
/**
 * Neighbouring regions that are searched when the one around the key is too dense: most of twenty
 * honest nodes are in three. All but the very closest ones are in six, the last of which has half a
 * node in the mean.
 */
const REGIONS = { most: 3, all: 6 } as const;
/** What is still believed of an answer that is too dense to be true. */
const BELIEVED_OF_DENSE = 2;
/** Of so many nodes that somebody told of, more than half being dead is a lie. */
const HEARSAY_MIN = 4;

/**
 * An iterative search for the nodes around a key: one path at first, and more once there is a
 * reason.
 *
 * - Somebody told of nodes that are not there, or nothing was found: disjoint paths, so that no
 *   liar is on all of them.
 * - The neighbourhood is denser than honest ids make it: the regions beside it are searched too,
 *   at the depth where twenty honest nodes should live. Ids ground around a key are not there, and
 *   what lies on the key's side of a region is not looked at.
 */
export class Search implements ExchangeOwner {
  readonly target: KeyText;
  readonly #context: DhtContext;
  readonly #hooks: SearchHooks;
  readonly #paths: Path[] = [];
  readonly #pathOf = new Map<KeyText, Path>();
  readonly #taken = new Set<KeyText>();
  readonly #answerers = new Map<KeyText, Answerer>();
  readonly #toldBy = new Map<KeyText, Contact>();
  readonly #hearsay = new Map<KeyText, { asked: number; dead: number }>();
  /** Whether only the closest node was asked so far. */
  #isAlone = false;
  #isSpread = false;
  #isWidened = false;
  #isStopped = false;
  #isLate = false;
  /** For whom there was no room, here or there. */
  readonly #busy = new Set<Contact>();

  constructor(context: DhtContext, target: KeyText, hooks: SearchHooks) {
    this.#context = context;
    this.target = target;
    this.#hooks = hooks;
  }

  /** Whether the region around the target was found too dense to be honest. */
  get isWidened(): boolean {
    return this.#isWidened;
  }

  /** Whether limits, here or there, kept it from asking: what it has not found may be there. */
  get isHampered(): boolean {
    const isWaiting = !this.#isStopped && this.#context.exchanges.isWaiting(this);
    return isWaiting || this.#areKeepersBusy();
  }

  /** Nodes asked so far. */
  get asked(): number {
    return this.#pathOf.size;
  }

  get answerers(): ReadonlyMap<KeyText, Answerer> {
    return this.#answerers;
  }

  /**
   * Begins with the closest nodes of the table; and with each of the `known` ones on a path of its
   * own: whoever has filled the table with liars does not stand on all of them.
   */
  start(now: Instant, known: readonly Contact[] = []): void {
    const { table, limits } = this.#context;
    const seeds = table.closest(this.target, limits.bucketSize);
    for (const contact of known.slice(0, limits.pathsMax)) {
      this.#addPath(this.target, [contact], SIDE_PATH);
    }
    this.#addPath(this.target, [...seeds, ...known], {
      width: limits.bucketSize,
      parallelism: limits.parallelism,
    });
    if (!this.#isAlone && this.isTooDense(seeds)) this.widen();
    this.pump(now);
  }

  /** Begins with the closest node alone; with the others once that is late, or has answered. */
  startAlone(now: Instant): void {
    this.#isAlone = true;
    this.start(now);
  }

  /** Tells nobody anything any more. */
  stop(): void {
    this.#isStopped = true;
    this.#context.exchanges.release(this);
  }

  /** Asks whoever is next, on every path. */
  pump(now: Instant): void {
    if (this.#isStopped) return;
    for (const path of this.#paths) this.#pumpPath(path, now);
    if (this.#isStopped || !this.#paths.every(({ lookup }) => lookup.isDone)) return;
    // A crowd may tell of few at a time, which are none by themselves.
    if (!this.#isWidened && this.isTooDense(this.closest(this.#context.limits.bucketSize))) {
      this.widen();
      this.pump(now);
      return;
    }
    this.#isStopped = true;
    this.#hooks.ended(now);
  }

  /**
   * Goes on over disjoint paths: half of them begin with the closest nodes that were not asked,
   * half anywhere, since all who are close may be liars. False when that was done already, or
   * nobody is left.
   */
  spread(): boolean {
    if (this.#isSpread) return false;
    this.#isSpread = true;
    const { table, limits } = this.#context;
    const half = Math.ceil(limits.pathsMax / 2);
    const near = table.closest(this.target, half * SIDE_PATH.seeds, ({ key }) => {
      return !this.#taken.has(key);
    });
    const pathsBefore = this.#paths.length;
    for (const seeds of [near, this.#anywhere(half * SIDE_PATH.seeds)]) {
      for (let i = 0; i < Math.min(half, seeds.length); i++) {
        const own = seeds.filter((_, at) => at % half === i);
        this.#addPath(this.target, own, SIDE_PATH);
      }
    }
    const isMore = this.#paths.length > pathsBefore;
    this.#isStopped &&= !isMore;
    return isMore;
  }

  /** Searches the regions beside the target too. */
  widen(): void {
    if (this.#isWidened) return;
    this.#isWidened = true;
    const { table, limits, random } = this.#context;
    const { isRepeatable = false } = this.#hooks;
    for (let i = 0; i < (isRepeatable ? REGIONS.all : REGIONS.most); i++) {
      const depth = this.regionDepth() + i;
      const rest = isRepeatable ? textBytes(this.target) : random.bytes(32);
      const near = keyBeside(this.target, depth, rest);
      // The crowd is closer to this than who lives just outside: it would be all that is asked.
      const isOn: IsWanted = ({ key }) => sharedBits(this.target, key) <= depth;
      const seeds = table.closest(near, limits.bucketSize, (contact) => {
        return isOn(contact) && !this.#taken.has(contact.key);
      });
      this.#addPath(near, seeds, { width: SIDE_PATH.width, parallelism: 2, isOn });
    }
  }

  /** Leading bits that the nodes of the region share with the target: some twenty honest ones. */
  regionDepth(): number {
    const nodes = estimatedNodes(this.#context);
    return Math.max(Math.floor(Math.log2(nodes / this.#context.limits.bucketSize)), 0);
  }

  /** The closest nodes that answered, closest first, at most two of one network. */
  closest(count: number, isWanted: IsWanted = () => true): Contact[] {
    const all = [...this.#answerers.values()].map(({ contact }) => contact);
    sortByDistance(this.target, all);
    const networks: number[] = [];
    const max = this.#context.limits.perNetworkMax;
    return all
      .filter((contact) => isWanted(contact) && claimNetworkPlace(networks, contact, max))
      .slice(0, count);
  }

  /** Those of the answerers that live in the region around the target. */
  isInRegion(contact: Contact): boolean {
    return sharedBits(this.target, contact.key) >= this.regionDepth();
  }

  /**
   * Whether more nodes crowd around the target than honest ids make. Who has just joined knows
   * three nodes and is told of twenty: as long as no neighbourhood was seen, that says nothing,
   * except to who knows everybody, or had to let go of some: the own neighbourhood is whole then.
   */
  isTooDense(closest: readonly Contact[], target: KeyText = this.target): boolean {
    const { networkSize, table, knowsAll } = this.#context;
    const canTell = networkSize.isObserved || !table.isWhole || knowsAll();
    return canTell && networkSize.isTooDense(target, closest, estimatedNodes(this.#context));
  }

  /**
   * Learns from the closest set how large the network is. One crowd among many samples is no harm;
   * as the first one it would be all that is known.
   */
  learnSize(): void {
    const { networkSize, limits } = this.#context;
    const closest = this.closest(limits.bucketSize);
    const isTelling = networkSize.isObserved || !this.#isWidened;
    if (isTelling && closest.length === limits.bucketSize)
      networkSize.observe(this.target, closest);
  }

  answered(contact: Contact, response: DhtResponse, now: Instant): void {
    const path = this.#pathAt(contact);
    const hops = path.lookup.hopsOf(contact.key);
    const placed = this.#context.placed(contact);
    path.lookup.placed(placed);
    if (response.kind === "nodes") {
      this.#answerers.set(contact.key, { contact: placed, token: response.token });
      path.lookup.answered(contact.key, this.#believe(path, contact, response.contacts));
      this.#context.meet(response.contacts);
    } else if (this.#hooks.took(contact, response, hops, now)) {
      if (!this.#answerers.has(contact.key)) {
        this.#answerers.set(contact.key, { contact: placed, token: undefined });
      }
      path.lookup.answered(contact.key);
    } else {
      this.#context.peers.blame(contact.key, now);
      path.lookup.failed(contact.key);
      this.spread();
    }
    this.#goOn(now);
  }

  resume(now: Instant): void {
    this.pump(now);
  }

  slow(contact: Contact, now: Instant): void {
    this.#pathAt(contact).lookup.slow(contact.key);
    if (!this.#isLate) this.#hooks.late();
    this.#isLate = true;
    this.#goOn(now);
  }

  silent(contact: Contact, now: Instant): void {
    this.#pathAt(contact).lookup.silent(contact.key);
    this.#wasDead(contact);
    this.#goOn(now);
  }

  failed(contact: Contact, now: Instant, isBusy: boolean): void {
    this.#pathAt(contact).lookup.failed(contact.key);
    if (isBusy) this.#busy.add(contact);
    else this.#wasDead(contact);
    this.#goOn(now);
  }

  /** Whether a put may have found its quorum, half of the keepers, among those who were busy. */
  #areKeepersBusy(): boolean {
    if (this.#busy.size === 0) return false;
    const heard = [...this.#answerers.values()].map(({ contact }) => contact);
    const keepers = sortByDistance(this.target, [...heard, ...this.#busy]);
    const closest = keepers.slice(0, this.#context.limits.replicas);
    return 2 * closest.filter((contact) => this.#busy.has(contact)).length >= closest.length;
  }

  /** Something has become of a request. */
  #goOn(now: Instant): void {
    if (this.#isAlone && !this.#isStopped) this.#askOthersToo();
    this.pump(now);
  }

  #askOthersToo(): void {
    this.#isAlone = false;
    const { table, limits } = this.#context;
    if (this.isTooDense(table.closest(this.target, limits.bucketSize))) this.widen();
    for (const { lookup } of this.#paths) lookup.postpone();
  }

  /** Contacts from all over the table that were not asked; some fewer when they come twice. */
  #anywhere(count: number): Contact[] {
    const { table, random } = this.#context;
    const chosen = new Set<Contact>();
    for (let i = 0; i < count; i++) {
      const contact = table.contacts[Math.floor(random.unit() * table.size)];
      if (contact !== undefined && !this.#taken.has(contact.key)) chosen.add(contact);
    }
    return [...chosen];
  }

  #addPath(
    near: KeyText,
    seeds: readonly Contact[],
    how: { readonly width: number; readonly parallelism: number; readonly isOn?: IsWanted },
  ): void {
    const { width, parallelism, isOn = () => true } = how;
    const { self, limits, peers, exchanges } = this.#context;
    const { candidatesMax, askedPerPathMax, perNetworkMax, exchangesMax } = limits;
    const lookup = new LookupCore({
      self,
      target: near,
      width,
      parallelism,
      candidatesMax,
      perNetworkMax,
      askedMax: askedPerPathMax,
      taken: this.#taken,
      isLate: (key) => peers.isLate(key),
      // Many searches at once would take each other's place.
      mayHurry: () => exchanges.size < exchangesMax / 2,
    });
    lookup.learn(seeds);
    this.#paths.push({ lookup, near: textBytes(near), isOn });
  }

  #pumpPath(path: Path, now: Instant): void {
    const { table, exchanges } = this.#context;
    while (!exchanges.isFull) {
      const next = path.lookup.next();
      if (next === undefined) return;
      this.#pathOf.set(next.key, path);
      const teller = this.#toldBy.get(next.key);
      if (teller !== undefined) this.#hearsayOf(teller).asked += 1;
      const request = this.#hooks.requestNear(path.near);
      exchanges.ask(table.asKnown(next), request, this, now);
      if (this.#isStopped || this.#isAlone) return;
    }
    // A limit of this node says nothing about those whom it would ask.
    if (!path.lookup.isDone) exchanges.waitForRoom(this);
  }

  /** What of an answer is followed: all of it, or a little when it cannot be true. */
  #believe(path: Path, teller: Contact, told: readonly Contact[]): readonly Contact[] {
    const { target } = path.lookup;
    const sorted = sortByDistance(target, told.filter(path.isOn));
    const isDense = this.isTooDense(sorted, target);
    const believed = isDense ? sorted.slice(0, BELIEVED_OF_DENSE) : sorted;
    if (isDense) this.widen();
    for (const contact of believed) {
      if (!this.#taken.has(contact.key)) this.#toldBy.set(contact.key, teller);
    }
    return believed;
  }

  #wasDead(contact: Contact): void {
    const teller = this.#toldBy.get(contact.key);
    if (teller === undefined) return;
    // Once, though it may fall silent first and fail later.
    this.#toldBy.delete(contact.key);
    const hearsay = this.#hearsayOf(teller);
    hearsay.dead += 1;
    if (hearsay.asked >= HEARSAY_MIN && 2 * hearsay.dead > hearsay.asked) this.spread();
  }

  #hearsayOf(teller: Contact): { asked: number; dead: number } {
    const known = this.#hearsay.get(teller.key) ?? { asked: 0, dead: 0 };
    this.#hearsay.set(teller.key, known);
    return known;
  }

  #pathAt(contact: Contact): Path {
    const path = this.#pathOf.get(contact.key);
    assert(path !== undefined, "only those answer who were asked");
    return path;
  }
}
