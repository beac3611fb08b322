import type { Instant } from "../base/index.ts";
import type { Contact } from "./contact.ts";
import type { DhtContext } from "./dht-context.ts";
import type { ExchangeOwner } from "./exchange-desk.ts";
import { compareDistance, type KeyText, textBytes } from "./key.ts";
import type { DhtValue, ValueKind } from "./message.ts";

/** Values that one step looks at, and the pause between two steps. */
const STEP_VALUES = 256;
const STEP_MS = 100;
/** Newcomers that values are looked through for, at once. */
const NEWCOMERS_MAX = 64;
/** The closest keepers see to a value; the others rely on them. */
const CARERS = 2;
/** Values of its own that a node publishes. */
const PUBLICATIONS_MAX = 256;
/** A publication is renewed this often in its life. */
const RENEWALS_PER_LIFE = 3;

interface Publication {
  readonly key: KeyText;
  readonly value: DhtValue;
  dueAt: Instant;
}

/** Stores a value anew at whoever is closest now. */
export type StoreAgain = (key: KeyText, value: DhtValue, isCopy: boolean) => void;

/**
 * Sees to it that values stay where they are looked for.
 *
 * - A node that is new in the neighbourhood gets copies of the values it is among the closest to.
 * - From time to time the closest keepers of a value that nobody stored again look for new keepers.
 * - What this node publishes itself is stored again three times in its life.
 */
export class ValueKeeping implements ExchangeOwner {
  readonly #context: DhtContext;
  readonly #storeAgain: StoreAgain;
  readonly #newcomers: Contact[] = [];
  readonly #publications = new Map<string, Publication>();
  #scan: Generator<{ readonly key: KeyText; readonly kind: ValueKind }> | undefined;
  #scanFor: readonly Contact[] = [];
  #isRepairDue = false;
  #isRepair = false;
  #stepAt: Instant = Number.POSITIVE_INFINITY;
  #repairAt: Instant = Number.POSITIVE_INFINITY;

  constructor(context: DhtContext, storeAgain: StoreAgain) {
    this.#context = context;
    this.#storeAgain = storeAgain;
  }

  start(now: Instant): void {
    this.#repairAt = now + this.#context.limits.repairMs * (0.5 + this.#context.random.unit());
  }

  /** Stores the value now and again until it is withdrawn; false when there are too many. */
  publish(key: KeyText, value: DhtValue, now: Instant): boolean {
    const name = `${value.kind} ${key}`;
    const isNew = !this.#publications.has(name);
    if (isNew && this.#publications.size >= PUBLICATIONS_MAX) return false;
    const publication = { key, value, dueAt: now };
    this.#publications.set(name, publication);
    return true;
  }

  /** Lets a publication expire. */
  withdraw(key: KeyText, kind: ValueKind): void {
    this.#publications.delete(`${kind} ${key}`);
  }

  /** The table has a new node: it may be among the closest to values that are kept here. */
  joined(contact: Contact, now: Instant): void {
    if (this.#context.store.size === 0 || !contact.isProvable) return;
    this.#newcomers.push(contact);
    if (this.#newcomers.length > NEWCOMERS_MAX) this.#newcomers.shift();
    if (this.#stepAt === Number.POSITIVE_INFINITY) this.#stepAt = now + STEP_MS;
  }

  answered(): void {}

  failed(): void {}

  timeout(now: Instant): void {
    if (now >= this.#repairAt) {
      this.#repairAt = now + this.#context.limits.repairMs;
      this.#isRepairDue = true;
      if (this.#stepAt === Number.POSITIVE_INFINITY) this.#stepAt = now;
    }
    if (now >= this.#stepAt) this.#step(now);
    for (const publication of this.#publications.values()) {
      if (now < publication.dueAt) continue;
      const lifeMs = 1_000 * Math.max(publication.value.ttlSeconds, 60);
      publication.dueAt = now + lifeMs / RENEWALS_PER_LIFE;
      this.#storeAgain(publication.key, publication.value, false);
    }
  }

  deadline(): Instant {
    let at = Math.min(this.#stepAt, this.#repairAt);
    for (const { dueAt } of this.#publications.values()) at = Math.min(at, dueAt);
    return at;
  }

  /** Looks at some values: a full store is never gone through in one go. */
  #step(now: Instant): void {
    this.#scan ??= this.#begin();
    for (let i = 0; i < STEP_VALUES; i++) {
      const next = this.#scan.next();
      if (next.done === true) {
        this.#scan = undefined;
        break;
      }
      this.#look(next.value, now);
    }
    const isMore = this.#scan !== undefined || this.#newcomers.length > 0 || this.#isRepairDue;
    this.#stepAt = isMore ? now + STEP_MS : Number.POSITIVE_INFINITY;
  }

  #begin(): Generator<{ readonly key: KeyText; readonly kind: ValueKind }> {
    this.#scanFor = this.#newcomers.splice(0);
    this.#isRepair = this.#isRepairDue;
    this.#isRepairDue = false;
    return this.#context.store.entries();
  }

  #look({ key, kind }: { key: KeyText; kind: ValueKind }, now: Instant): void {
    const { store, table, limits, self } = this.#context;
    const kept = store.get(key, kind, now);
    // Whole seconds, rounded down: a life does not grow by being handed on.
    if (kept === undefined || kept.ttlSeconds <= 1) return;
    const value = { ...kept, ttlSeconds: kept.ttlSeconds - 1 };
    const keepers = table.closest(key, limits.replicas);
    const closer = keepers.filter((contact) => compareDistance(key, contact.key, self) < 0);
    for (const newcomer of this.#scanFor) {
      // It is the newcomer that may stand between this node and the key.
      const isCarer = closer.filter(({ key: each }) => each !== newcomer.key).length < CARERS;
      const isKeeper = keepers.some((keeper) => keeper.names(newcomer));
      if (isCarer && isKeeper) this.#handOver(newcomer, key, value, now);
    }
    const isStale = now - (store.storedAt(key, kind, now) ?? now) >= limits.repairMs;
    if (this.#isRepair && isStale && closer.length < CARERS) this.#storeAgain(key, value, true);
  }

  #handOver(to: Contact, key: KeyText, value: DhtValue, now: Instant): void {
    const request = { kind: "store", key: textBytes(key), value, isCopy: true } as const;
    this.#context.desk.ask(to, request, this, now);
  }
}
