import type { Instant } from "../../base/index.ts";
import { type DhtContext, estimatedNodes } from "../exchange/dht-context.ts";
import type { ExchangeOwner } from "../exchange/exchange-desk.ts";
import type { Contact } from "../wire/contact.ts";
import { compareDistance, type KeyText, textBytes } from "../wire/key.ts";
import type { DhtValue, ValueKind } from "../wire/message.ts";

/** Values that one step looks at, and the pause between two steps. */
const STEP_VALUES = 256;
const STEP_MS = 100;
/** Copies that newcomers are sent in a step: fewer than one of them answers in that time. */
const STEP_COPIES = 32;
/** Newcomers that values are looked through for, at once. */
const NEWCOMERS_MAX = 64;
/** The closest keepers see to a value; the others rely on them. */
const CARERS = 2;
/** Values of its own that a node publishes. */
const PUBLICATIONS_MAX = 256;
/** A publication is renewed this often in its life. */
const RENEWALS_PER_LIFE = 3;
/** One that no other node took is tried again after this, then after twice as long, and so on. */
const PUBLISH_AGAIN_MS = 15_000;
/** A newcomer that is busy is offered a value so often, with this pause; then repair sees to it. */
const OFFERS_MAX = 5;
const OFFER_AGAIN_MS = 15_000;

interface KeptName {
  readonly key: KeyText;
  readonly kind: ValueKind;
}

/** A copy that a newcomer was too busy for. */
interface Owed extends KeptName {
  readonly to: Contact;
  readonly offers: number;
}

interface Publication {
  readonly key: KeyText;
  readonly value: DhtValue;
  dueAt: Instant;
  /** The pause before the next attempt, should this one fail. */
  againMs: number;
}

/**
 * Stores a value anew at whoever is closest now; false when too many wait for that. Otherwise
 * `done` hears, later and once, whether another node has it.
 */
export type StoreAgain = (
  key: KeyText,
  value: DhtValue,
  isCopy: boolean,
  done?: (isKept: boolean, now: Instant) => void,
) => boolean;

/**
 * Sees to it that values stay where they are looked for.
 *
 * - A node that is new in the neighbourhood gets copies of the values it is among the closest to.
 * - From time to time the closest keepers of a value that nobody stored again look for new keepers.
 * - What this node publishes itself is stored again three times in its life, and sooner while no
 *   other node has taken it.
 *
 * Where there is no room for a request the next value waits, and a busy newcomer is asked later.
 */
export class ValueUpkeep {
  readonly #context: DhtContext;
  readonly #storeAgain: StoreAgain;
  readonly #newcomers: Contact[] = [];
  readonly #publications = new Map<string, Publication>();
  #scan: Generator<KeptName> | undefined;
  /** The value that the scan stands at, until it was seen to. */
  #at: KeptName | undefined;
  /** Copies that may still be sent in this step. */
  #copiesLeft = STEP_COPIES;
  #scanFor: readonly Contact[] = [];
  #isRepairDue = false;
  #isRepair = false;
  #stepAt: Instant = Number.POSITIVE_INFINITY;
  #repairAt: Instant = Number.POSITIVE_INFINITY;
  #owed: Owed[] = [];
  #offerAt: Instant = Number.POSITIVE_INFINITY;

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
    const publication = { key, value, dueAt: now, againMs: PUBLISH_AGAIN_MS };
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

  timeout(now: Instant): void {
    if (now >= this.#repairAt) {
      this.#repairAt = now + this.#context.limits.repairMs;
      this.#isRepairDue = true;
      if (this.#stepAt === Number.POSITIVE_INFINITY) this.#stepAt = now;
    }
    if (now >= this.#stepAt) this.#step(now);
    if (now >= this.#offerAt) this.#offerAgain(now);
    for (const publication of this.#publications.values()) {
      if (now >= publication.dueAt) this.#publishAgain(publication, now);
    }
  }

  deadline(): Instant {
    let at = Math.min(this.#stepAt, this.#repairAt, this.#offerAt);
    for (const { dueAt } of this.#publications.values()) at = Math.min(at, dueAt);
    return at;
  }

  #publishAgain(publication: Publication, now: Instant): void {
    const { key, value } = publication;
    const renewMs = (1_000 * Math.max(value.ttlSeconds, 60)) / RENEWALS_PER_LIFE;
    const isBegun = this.#storeAgain(key, value, false, (isKept, at) => {
      if (!isKept) publication.dueAt = Math.min(publication.dueAt, at + publication.againMs);
      publication.againMs = isKept ? PUBLISH_AGAIN_MS : Math.min(2 * publication.againMs, renewMs);
    });
    publication.dueAt = now + (isBegun ? renewMs : STEP_MS);
  }

  /** Looks at some values: a full store is never gone through in one go. */
  #step(now: Instant): void {
    this.#scan ??= this.#begin();
    this.#copiesLeft = STEP_COPIES;
    for (let i = 0; i < STEP_VALUES; i++) {
      this.#at ??= this.#scan.next().value;
      if (this.#at === undefined) {
        this.#scan = undefined;
        break;
      }
      if (!this.#look(this.#at, now)) break;
      this.#at = undefined;
    }
    const isMore = this.#scan !== undefined || this.#newcomers.length > 0 || this.#isRepairDue;
    this.#stepAt = isMore ? now + STEP_MS : Number.POSITIVE_INFINITY;
  }

  #begin(): Generator<KeptName> {
    this.#scanFor = this.#newcomers.splice(0);
    this.#isRepair = this.#isRepairDue;
    this.#isRepairDue = false;
    return this.#context.store.entries();
  }

  /** @returns false when there is no room for what is to be done: it is to be looked at again */
  #look({ key, kind }: KeptName, now: Instant): boolean {
    const { store, table, limits, self, exchanges, networkSize } = this.#context;
    const value = this.#valueToHandOn({ key, kind }, now);
    if (value === undefined) return true;
    const keepers = table.closest(key, limits.replicas);
    const isCrowd = networkSize.isTooDense(key, keepers, estimatedNodes(this.#context));
    // Nobody relies on those who may have ground their ids.
    const closer = isCrowd
      ? []
      : keepers.filter((contact) => compareDistance(key, contact.key, self) < 0);
    const receivers = this.#scanFor.filter((newcomer) => {
      // It is the newcomer that may stand between this node and the key.
      const isCarer = closer.filter(({ key: each }) => each !== newcomer.key).length < CARERS;
      return isCarer && keepers.some((keeper) => keeper.names(newcomer));
    });
    if (receivers.length > 0 && (exchanges.isFull || this.#copiesLeft <= 0)) return false;
    const isStale = now - (store.storedAt(key, kind, now) ?? now) >= limits.repairMs;
    const isRepaired = this.#isRepair && isStale && closer.length < CARERS;
    // Before the copies: they would be sent again each time that it has to wait.
    if (isRepaired && !this.#storeAgain(key, value, true)) return false;
    this.#copiesLeft -= receivers.length;
    for (const to of receivers) this.#handOver({ key, kind, to, offers: 0 }, value, now);
    return true;
  }

  #valueToHandOn({ key, kind }: KeptName, now: Instant): DhtValue | undefined {
    const kept = this.#context.store.get(key, kind, now);
    // Whole seconds, rounded down: a life does not grow by being handed on.
    if (kept === undefined || kept.ttlSeconds <= 1) return undefined;
    return { ...kept, ttlSeconds: kept.ttlSeconds - 1 };
  }

  #handOver(owed: Owed, value: DhtValue, now: Instant): void {
    const { to, key, offers } = owed;
    const request = { kind: "store", key: textBytes(key), value, isCopy: true } as const;
    const owner: ExchangeOwner = {
      answered: () => {},
      failed: (_contact, at, isBusy) => {
        if (isBusy) this.#owe({ ...owed, offers: offers + 1 }, at);
      },
    };
    if (!this.#context.exchanges.ask(to, request, owner, now)) this.#owe(owed, now);
  }

  #owe(owed: Owed, now: Instant): void {
    const isTooMany = this.#owed.length >= this.#context.limits.handOversMax;
    if (isTooMany || owed.offers >= OFFERS_MAX) return;
    this.#owed.push(owed);
    if (this.#offerAt === Number.POSITIVE_INFINITY) this.#offerAt = now + OFFER_AGAIN_MS;
  }

  #offerAgain(now: Instant): void {
    const owed = this.#owed;
    this.#owed = [];
    this.#offerAt = Number.POSITIVE_INFINITY;
    for (const each of owed) {
      const value = this.#valueToHandOn(each, now);
      if (value !== undefined) this.#handOver(each, value, now);
    }
  }
}
