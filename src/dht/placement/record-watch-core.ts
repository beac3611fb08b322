import { type Core, type Instant, LruMap, type Random } from "../../base/index.ts";
import type { Contact, IsWanted } from "../wire/contact.ts";
import { compareDistance, type KeyText, keyOf } from "../wire/key.ts";
import { Surroundings } from "./crowd.ts";
import { type PlacementLimits, resolvePlacementLimits } from "./placement-limits.ts";
import type { Neighbourhood } from "./placement-protocol.ts";
import { WatchedRecords, type WatchSlot } from "./watched-records.ts";

/** What a watch is told. */
export type WatchInput =
  /** This node keeps a record, for so long at least. */
  | { readonly kind: "kept"; readonly address: Uint8Array; readonly ttlSeconds: number }
  /** The same since an earlier life: who keeps it too may have changed meanwhile. */
  | { readonly kind: "held"; readonly address: Uint8Array; readonly ttlSeconds: number }
  /** It does not any more, or could not be read. */
  | { readonly kind: "lost"; readonly address: Uint8Array }
  /** An offer did not get there: it is made again at the next look, if it still is called for. */
  | { readonly kind: "missed"; readonly address: Uint8Array; readonly node: Contact }
  /** The node of this id has lost what it kept. */
  | { readonly kind: "emptied"; readonly id: Uint8Array };

/** Of a record that this node keeps. */
export type KeptInput = WatchInput & { readonly kind: "kept" | "held" };

/** What a watch asks for. */
export type WatchEffect =
  /** Put the record that is kept here at this node too: the same bytes, so nothing is replaced. */
  { readonly kind: "offer"; readonly address: Uint8Array; readonly to: Contact };

/** What a watch has to know of its neighbours. */
export type KnownNeighbours = Omit<Neighbourhood, "knowsAll">;

/** Who should keep a record beside this node. */
interface Keepers {
  readonly closest: readonly Contact[];
  /** Nobody, unless ids crowd around the address. */
  readonly beyond: readonly Contact[];
}

const NOBODY: readonly KeyText[] = [];
/** In the place of the keepers of a record that nobody was looked for yet. */
const UNKNOWN: readonly KeyText[] = [];

/** Records looked at in one step, and the pause between two steps. */
const STEP_RECORDS = 64;
const STEP_MS = 50;
/** Different lists of keepers that records share; in a network that stands they are some dozens. */
const LISTS_MAX = 256;
/** Nodes that have lost what they kept, in one round. */
const EMPTIED_MAX = 256;
/** The closest keepers see to a record; the others rely on them. */
const CARERS = 2;

/**
 * Sees to it that records of the Map stay where they are looked for: when the closest nodes to a
 * record change, the two closest keepers offer it to those that are new among them. A record is
 * written once, so a copy can only fill a gap.
 *
 * - A record from an earlier life is offered to all of them by the two closest, at its first look.
 * - Every record is looked at about every `watchMs`, some at a time.
 * - A node that has lost what it kept is new to all records, once.
 * - Where ids crowd around an address, those beyond the crowd keep the record too. They, and who
 *   was pushed out by it, see to it then: nobody relies on the crowd.
 * - What is beyond `watchedMax` is not watched; the writer's own refreshing still is there.
 */
export class RecordWatchCore implements Core<WatchInput, WatchEffect> {
  readonly #self: KeyText;
  readonly #neighbourhood: KnownNeighbours;
  readonly #random: Random;
  readonly #limits: PlacementLimits;
  readonly #watched: WatchedRecords;
  /** Whom offers of this node did not reach. */
  readonly #owed = new Map<WatchSlot, readonly KeyText[]>();
  /** Who has nothing of what it kept, in the round under way and in the next one. */
  #emptied: ReadonlySet<KeyText> = new Set();
  #emptiedNext = new Set<KeyText>();
  readonly #effects: WatchEffect[] = [];
  readonly #lists = new LruMap<string, readonly KeyText[]>(LISTS_MAX);
  /** Where the round stands that is under way. */
  #at: WatchSlot = 0;
  #stepAt: Instant = Number.POSITIVE_INFINITY;

  constructor(options: {
    /** This node's id. */
    readonly id: Uint8Array;
    readonly neighbourhood: KnownNeighbours;
    readonly random: Random;
    readonly limits?: Partial<PlacementLimits>;
  }) {
    this.#self = keyOf(options.id);
    this.#neighbourhood = options.neighbourhood;
    this.#random = options.random;
    this.#limits = resolvePlacementLimits(options.limits);
    this.#watched = new WatchedRecords(this.#limits.watchedMax, options.random.bytes(16));
  }

  /** Records that are watched. */
  get size(): number {
    return this.#watched.size;
  }

  /** Whether one more would be in the place of another. */
  get isFull(): boolean {
    return this.#watched.isFull;
  }

  /** Whether one more node that has lost what it kept can be taken note of. */
  get hasRoomForEmptied(): boolean {
    return this.#emptiedNext.size < EMPTIED_MAX;
  }

  handle(input: WatchInput, now: Instant): void {
    if (input.kind === "emptied") {
      if (this.hasRoomForEmptied) this.#emptiedNext.add(keyOf(input.id));
      return;
    }
    const slot = this.#watched.find(input.address);
    if (input.kind === "kept" || input.kind === "held") {
      const expiresAt = now + 1_000 * input.ttlSeconds;
      if (slot === undefined) this.#watch(input, expiresAt, now);
      else this.#watched.extend(slot, expiresAt);
    } else if (slot !== undefined) {
      if (input.kind === "lost") this.#forget(slot);
      else this.#owed.set(slot, [...(this.#owed.get(slot) ?? NOBODY), input.node.key]);
    }
  }

  timeout(now: Instant): void {
    if (now < this.#stepAt) return;
    if (this.#at === 0) {
      this.#emptied = this.#emptiedNext;
      this.#emptiedNext = new Set();
    }
    for (let i = 0; i < STEP_RECORDS; i++) {
      const slot = this.#watched.from(this.#at);
      if (slot === undefined) {
        this.#at = 0;
        const isIdle = this.#watched.size === 0;
        this.#stepAt = isIdle ? Number.POSITIVE_INFINITY : now + this.#pauseMs();
        return;
      }
      this.#at = slot + 1;
      this.#look(slot, now);
    }
    this.#stepAt = now + STEP_MS;
  }

  poll(): WatchEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return this.#stepAt;
  }

  #watch({ kind, address }: KeptInput, expiresAt: Instant, now: Instant): void {
    const { oldest } = this.#watched;
    if (this.isFull && oldest !== undefined) this.#forget(oldest);
    // Whoever puts a record puts it at all that are near.
    const keepers = kind === "kept" ? this.#shared(all(this.#keepersOf(address))) : UNKNOWN;
    this.#watched.add(address, expiresAt, keepers);
    if (this.#stepAt === Number.POSITIVE_INFINITY) this.#stepAt = now + this.#pauseMs();
  }

  #forget(slot: WatchSlot): void {
    this.#watched.remove(slot);
    this.#owed.delete(slot);
  }

  /** Nodes that started together do not look together. */
  #pauseMs(): number {
    return this.#limits.watchMs * (0.5 + this.#random.unit());
  }

  #look(slot: WatchSlot, now: Instant): void {
    const watched = this.#watched;
    if (watched.expiresAt(slot) <= now) {
      this.#forget(slot);
      return;
    }
    const address = watched.addressAt(slot);
    const wanted = this.#keepersOf(address);
    const due = all(wanted);
    const keepers = this.#keepersAt(slot);
    const owed = this.#owed.get(slot) ?? NOBODY;
    // Mostly nothing has changed: a fresh list for each record each time would soon be old garbage.
    if (owed.length === 0 && areThose(due, keepers)) return;
    const isUnknown = keepers === UNKNOWN;
    const before = new Set(keepers);
    watched.setKeepers(slot, this.#shared(due));
    this.#owed.delete(slot);
    const key = keyOf(address);
    const relied = wanted.beyond.length > 0 ? wanted.beyond : wanted.closest;
    const closer = relied.filter((contact) => {
      const isKeeper = isUnknown || before.has(contact.key);
      return isKeeper && compareDistance(key, contact.key, this.#self) < 0;
    });
    const isCarer = closer.length < CARERS;
    for (const to of due) {
      if (owed.includes(to.key) || (isCarer && !before.has(to.key))) {
        this.#effects.push({ kind: "offer", address: address.slice(), to });
      }
    }
  }

  /** Who kept the record at its last look, and has not lost it since. */
  #keepersAt(slot: WatchSlot): readonly KeyText[] {
    const keepers = this.#watched.keepersAt(slot);
    const isLost = (key: KeyText): boolean => this.#emptied.has(key);
    return this.#emptied.size > 0 && keepers.some(isLost)
      ? keepers.filter((key) => !isLost(key))
      : keepers;
  }

  /** The keepers beside this node; all of them, when it is not among the closest any more. */
  #keepersOf(address: Uint8Array): Keepers {
    const { replicas } = this.#limits;
    const neighbourhood = this.#neighbourhood;
    const key = keyOf(address);
    const nearby = neighbourhood.closestKnown(address, replicas);
    const last = nearby[replicas - 1];
    const isAmong = last === undefined || compareDistance(key, this.#self, last.key) < 0;
    const others = nearby.slice(0, isAmong ? replicas - 1 : replicas);
    const isGood: IsWanted = (node) => node.isProvable && !neighbourhood.isDemoted(node);
    const closest = others.filter(isGood);
    const furthest = others.at(-1);
    if (last === undefined || furthest === undefined) return { closest, beyond: [] };
    const around = new Surroundings(key, neighbourhood.nodesEstimated);
    const isCrowd = (node: KeyText): boolean => around.isCrowd(node, "put");
    if (!isCrowd(furthest.key) || (isAmong && !isCrowd(this.#self))) return { closest, beyond: [] };
    const beyond = around.keepersBeyond((count, isWanted) => {
      return neighbourhood.closestKnown(address, count, (node) => isWanted(node) && isGood(node));
    }, this.#self);
    return { closest, beyond };
  }

  /** The keys of some keepers. Neighbours keep for each other: most records have the same few. */
  #shared(keepers: readonly Contact[]): readonly KeyText[] {
    const keys = keepers.map((contact) => contact.key).sort();
    const name = keys.join("");
    const known = this.#lists.get(name) ?? keys;
    this.#lists.set(name, known);
    return known;
  }
}

function areThose(contacts: readonly Contact[], keys: readonly KeyText[]): boolean {
  return contacts.length === keys.length && contacts.every(({ key }) => keys.includes(key));
}

function all({ closest, beyond }: Keepers): readonly Contact[] {
  return beyond.length === 0 ? closest : [...new Set([...closest, ...beyond])];
}
