import type { Instant } from "../base/index.ts";
import type { Contact } from "./contact.ts";
import type { DhtContext } from "./dht-context.ts";
import type { ExchangeOwner } from "./exchange-desk.ts";
import { type KeyText, keyBeside, sharedBits } from "./key.ts";

/** Neighbours that are looked after more often than the rest of the table, in closest sets. */
const NEIGHBOUR_SETS = 2;
/** A node heard within this time is not pinged to make place for another one. */
const RECENT_MS = 60_000;
/** Nodes of an earlier life that are met at a time. */
const REMEMBERED_STEP = 64;
/** Random keys deeper than this share too much with this node to be worth a lookup. */
const REFRESH_DEPTH_MAX = 32;

/**
 * Keeps the table true: newcomers from hearsay are asked whether they live, the nodes that were not
 * heard for longest are looked after, buckets that nobody used are refreshed.
 */
export class Upkeep implements ExchangeOwner {
  readonly #context: DhtContext;
  readonly #lookUp: (target: KeyText) => void;
  readonly #introductions = new Map<KeyText, Contact>();
  readonly #pinged = new Set<KeyText>();
  readonly #usedAt: Instant[] = [];
  #introduceAt: Instant = Number.POSITIVE_INFINITY;
  #checkAt: Instant = Number.POSITIVE_INFINITY;
  #challengeAt: Instant = Number.NEGATIVE_INFINITY;
  #refreshSelfAt: Instant = Number.POSITIVE_INFINITY;
  #isNeighboursTurn = false;
  #remembered: Contact[] = [];

  /** @param lookUp starts a lookup of the closest nodes to a key */
  constructor(context: DhtContext, lookUp: (target: KeyText) => void) {
    this.#context = context;
    this.#lookUp = lookUp;
  }

  /**
   * From now on the table is looked after, beginning with the nodes of an earlier life. Nodes that
   * start together do not tick together.
   */
  start(now: Instant, remembered: readonly Contact[]): void {
    this.#remembered = [...remembered];
    const { limits, random } = this.#context;
    this.#checkAt = now + limits.checkMs * random.unit();
    this.#refreshSelfAt = now + limits.refreshMs * (0.5 + random.unit());
    this.meet(this.#remembered.splice(0, REMEMBERED_STEP), now);
  }

  /** Whether there are nodes that somebody told of, and that have a place, but were not heard. */
  get isMeeting(): boolean {
    if (this.#introductions.size > 0) return true;
    const { table } = this.#context;
    for (const key of this.#pinged) if (table.find(key) === undefined) return true;
    return false;
  }

  /** Somebody told of these nodes. */
  meet(hearsay: readonly Contact[], now: Instant): void {
    const { table, limits } = this.#context;
    for (const contact of hearsay) {
      if (this.#introductions.size >= limits.introductionsMax) return;
      if (this.#introductions.has(contact.key) || this.#pinged.has(contact.key)) continue;
      if (table.wants(contact)) this.#introductions.set(contact.key, contact);
    }
    const isIdle = this.#introduceAt === Number.POSITIVE_INFINITY;
    if (isIdle && this.#introductions.size > 0) this.#introduceAt = now + limits.introduceMs;
  }

  /**
   * The bucket of a newcomer is full: is the node in it that was not heard for longest still there?
   * Asked seldom, since whoever is asked may have a full bucket too: a question for each question
   * would never end.
   */
  challenge(newcomer: Contact, now: Instant): void {
    if (now < this.#challengeAt) return;
    const { table, limits } = this.#context;
    const oldest = table.leastRecentlyHeardBeside(newcomer.key);
    if (oldest === undefined || now - oldest.heardAt < RECENT_MS) return;
    this.#challengeAt = now + limits.checkMs;
    this.#ping(oldest.contact, now);
  }

  /** Something was looked up here: the bucket of the key is in use. */
  used(target: KeyText, now: Instant): void {
    const depth = sharedBits(this.#context.self, target);
    if (depth < REFRESH_DEPTH_MAX) this.#usedAt[depth] = now;
  }

  answered(contact: Contact): void {
    this.#pinged.delete(contact.key);
  }

  failed(contact: Contact): void {
    this.#pinged.delete(contact.key);
  }

  timeout(now: Instant): void {
    const { limits } = this.#context;
    if (now >= this.#introduceAt) {
      this.#introduceOne(now);
      if (this.#introductions.size === 0)
        this.meet(this.#remembered.splice(0, REMEMBERED_STEP), now);
      const isMore = this.#introductions.size > 0;
      this.#introduceAt = isMore ? now + limits.introduceMs : Number.POSITIVE_INFINITY;
    }
    if (now >= this.#checkAt) {
      this.#checkAt = now + limits.checkMs;
      this.#check(now);
      this.#refresh(now);
    }
  }

  deadline(): Instant {
    return Math.min(this.#introduceAt, this.#checkAt);
  }

  #introduceOne(now: Instant): void {
    for (const [key, contact] of this.#introductions) {
      this.#introductions.delete(key);
      if (!this.#context.table.wants(contact)) continue;
      this.#ping(contact, now);
      return;
    }
  }

  /** In turn: the oldest of the neighbours, on whom others depend, and the oldest of all. */
  #check(now: Instant): void {
    const { table, limits, self } = this.#context;
    this.#isNeighboursTurn = !this.#isNeighboursTurn;
    const oldest = this.#isNeighboursTurn
      ? table.leastRecentlyHeard(table.closest(self, NEIGHBOUR_SETS * limits.bucketSize))
      : table.leastRecentlyHeard();
    if (oldest === undefined || now - oldest.heardAt < limits.freshMs) return;
    this.#ping(oldest.contact, now);
  }

  #refresh(now: Instant): void {
    const { self, limits, random, table } = this.#context;
    if (now >= this.#refreshSelfAt) {
      this.#refreshSelfAt = now + limits.refreshMs;
      this.#lookUp(self);
      return;
    }
    const deepest = Math.min(table.depth(), REFRESH_DEPTH_MAX - 1);
    for (let depth = 0; depth <= deepest; depth++) {
      // A bucket that was never used counts from about now on, so that not all come at once.
      this.#usedAt[depth] ??= now - limits.refreshMs * random.unit();
      if (now - (this.#usedAt[depth] ?? now) < limits.refreshMs) continue;
      this.#usedAt[depth] = now;
      this.#lookUp(keyBeside(self, depth, random.bytes(32)));
      return;
    }
  }

  #ping(contact: Contact, now: Instant): void {
    if (this.#pinged.has(contact.key)) return;
    if (this.#context.desk.ask(contact, { kind: "ping" }, this, now)) {
      this.#pinged.add(contact.key);
    }
  }
}
