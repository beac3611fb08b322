import { type Core, type Instant, LruMap, type Random } from "../../base/index.ts";
import type { Contact } from "../contact.ts";
import { compareDistance, type KeyText, keyOf, textBytes } from "../key.ts";
import { type PlacementLimits, resolvePlacementLimits } from "./placement-limits.ts";
import type { Neighbourhood } from "./placement-protocol.ts";

/** What a watch is told. */
export type WatchInput =
  /** This node keeps a record, for so long at least. */
  | { readonly kind: "kept"; readonly address: Uint8Array; readonly ttlSeconds: number }
  /** It does not any more, or could not be read. */
  | { readonly kind: "lost"; readonly address: Uint8Array }
  /** An offer did not get there: it is made again at the next look, if it still is called for. */
  | { readonly kind: "missed"; readonly address: Uint8Array; readonly node: Contact };

/** What a watch asks for. */
export type WatchEffect =
  /** Put the record that is kept here at this node too: the same bytes, so nothing is replaced. */
  { readonly kind: "offer"; readonly address: Uint8Array; readonly to: Contact };

interface Watched {
  expiresAt: Instant;
  /** Who should keep it as well, when that was looked at last. */
  keepers: readonly KeyText[];
  /** Whom an offer of this node did not reach. */
  owed: readonly KeyText[];
}

const NOBODY: readonly KeyText[] = [];

/** Records looked at in one step, and the pause between two steps. */
const STEP_RECORDS = 64;
const STEP_MS = 50;
/** Different lists of keepers that records share; in a network that stands they are some dozens. */
const LISTS_MAX = 256;
/** The closest keepers see to a record; the others rely on them. */
const CARERS = 2;

/**
 * Sees to it that records of the Map stay where they are looked for: when the closest nodes to a
 * record change, the two closest keepers offer it to those that are new among them. A record is
 * written once, so a copy can only fill a gap.
 *
 * - Every record is looked at about every `watchMs`, some at a time.
 * - What is beyond `watchedMax` is not watched; the writer's own refreshing still is there.
 */
export class RecordWatchCore implements Core<WatchInput, WatchEffect> {
  readonly #self: KeyText;
  readonly #neighbourhood: Neighbourhood;
  readonly #random: Random;
  readonly #limits: PlacementLimits;
  readonly #watched = new Map<KeyText, Watched>();
  readonly #effects: WatchEffect[] = [];
  readonly #lists = new LruMap<string, readonly KeyText[]>(LISTS_MAX);
  /**
   * Stands at the record that goes next, for a round at most: the engine keeps every table that the
   * map replaces meanwhile.
   */
  #leaving: IterableIterator<KeyText> | undefined;
  #round: IterableIterator<[KeyText, Watched]> | undefined;
  #stepAt: Instant = Number.POSITIVE_INFINITY;

  constructor(options: {
    /** This node's id. */
    readonly id: Uint8Array;
    readonly neighbourhood: Neighbourhood;
    readonly random: Random;
    readonly limits?: Partial<PlacementLimits>;
  }) {
    this.#self = keyOf(options.id);
    this.#neighbourhood = options.neighbourhood;
    this.#random = options.random;
    this.#limits = resolvePlacementLimits(options.limits);
  }

  /** Records that are watched. */
  get size(): number {
    return this.#watched.size;
  }

  /** Whether one more would be in the place of another. */
  get isFull(): boolean {
    return this.#watched.size >= this.#limits.watchedMax;
  }

  handle(input: WatchInput, now: Instant): void {
    const key = keyOf(input.address);
    if (input.kind === "lost") {
      this.#watched.delete(key);
      return;
    }
    if (input.kind === "missed") {
      const watched = this.#watched.get(key);
      if (watched === undefined) return;
      watched.owed = [...watched.owed, input.node.key];
      return;
    }
    const expiresAt = now + 1_000 * input.ttlSeconds;
    const known = this.#watched.get(key);
    if (known !== undefined) known.expiresAt = Math.max(known.expiresAt, expiresAt);
    else this.#watch(key, expiresAt, now);
  }

  timeout(now: Instant): void {
    if (now < this.#stepAt) return;
    this.#round ??= this.#watched.entries();
    for (let i = 0; i < STEP_RECORDS; i++) {
      const next = this.#round.next();
      if (next.done === true) {
        this.#round = undefined;
        this.#leaving = undefined;
        const isIdle = this.#watched.size === 0;
        this.#stepAt = isIdle ? Number.POSITIVE_INFINITY : now + this.#pauseMs();
        return;
      }
      this.#look(next.value[0], next.value[1], now);
    }
    this.#stepAt = now + STEP_MS;
  }

  poll(): WatchEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return this.#stepAt;
  }

  #watch(key: KeyText, expiresAt: Instant, now: Instant): void {
    if (this.isFull) this.#forgetOldest();
    const keepers = this.#shared(this.#closest(key));
    this.#watched.set(key, { expiresAt, keepers, owed: NOBODY });
    if (this.#stepAt === Number.POSITIVE_INFINITY) this.#stepAt = now + this.#pauseMs();
  }

  /** By one iterator: a fresh one would walk over the places of all that were forgotten before. */
  #forgetOldest(): void {
    this.#leaving ??= this.#watched.keys();
    const oldest = this.#leaving.next();
    if (oldest.done !== true) this.#watched.delete(oldest.value);
  }

  /** Nodes that started together do not look together. */
  #pauseMs(): number {
    return this.#limits.watchMs * (0.5 + this.#random.unit());
  }

  #look(key: KeyText, watched: Watched, now: Instant): void {
    if (watched.expiresAt <= now) {
      this.#watched.delete(key);
      return;
    }
    const closest = this.#closest(key);
    // Mostly nothing has changed: a fresh list for each record each time would soon be old garbage.
    if (watched.owed.length === 0 && areThose(closest, watched.keepers)) return;
    const before = new Set(watched.keepers);
    watched.keepers = this.#shared(closest);
    const closer = closest.filter((contact) => {
      return before.has(contact.key) && compareDistance(key, contact.key, this.#self) < 0;
    });
    const isCarer = closer.length < CARERS;
    const { owed } = watched;
    watched.owed = NOBODY;
    for (const to of closest) {
      if (owed.includes(to.key) || (isCarer && !before.has(to.key))) {
        this.#effects.push({ kind: "offer", address: textBytes(key), to });
      }
    }
  }

  /** The keepers beside this node; all of them, when it is not among the closest any more. */
  #closest(key: KeyText): readonly Contact[] {
    const { replicas } = this.#limits;
    const nearby = this.#neighbourhood.closestKnown(textBytes(key), replicas);
    const last = nearby[replicas - 1];
    const isAmong = last === undefined || compareDistance(key, this.#self, last.key) < 0;
    return nearby
      .slice(0, isAmong ? replicas - 1 : replicas)
      .filter((contact) => contact.isProvable && !this.#neighbourhood.isDemoted(contact));
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
