import type { Instant } from "../../base/index.ts";
import { type DhtContext, seemsLarger } from "../exchange/dht-context.ts";
import type { ExchangeOwner } from "../exchange/exchange-desk.ts";
import type { Contact } from "../wire/contact.ts";
import { KEY_BYTES, type KeyText, keyBeside, keyOf, sharedBits } from "../wire/key.ts";
import type { DhtRequest, DhtResponse } from "../wire/message.ts";

/** Neighbours that are looked after more often than the rest of the table, in closest sets. */
const NEIGHBOUR_SETS = 2;
/** A node heard within this time is not pinged to make place for another one. */
const RECENT_MS = 60_000;
/** Nodes of an earlier life that are met at a time. */
const REMEMBERED_STEP = 64;
/**
 * The next node is met so many times sooner while few of those before it are missed, which have not
 * answered or are not there: a joiner knows its network after seconds, and who is told of many that
 * are not there asks slowly.
 */
const HASTE = 10;
const MISSED_FEW = 8;
/** So many answers on end that name no stranger: whoever has places for all knows all by then. */
const SURVEY_ANSWERS = 8;
/** Questions of one survey: some who are asked may name a stranger each time, and make them up. */
const SURVEY_QUESTIONS_MAX = 64;
/** Newcomers that a survey of a table with full buckets asks for the sake of their lots. */
const SURVEY_DRAWS_MAX = 512;
/** Lookups of one survey, and the pause between two, for who still misses nodes by the estimate. */
const DOUBTS_MAX = 16;
const DOUBT_MS = 1_000;
const PING: DhtRequest = { kind: "ping" };
/** Random keys deeper than this share too much with this node to be worth a lookup. */
const REFRESH_DEPTH_MAX = 32;

/**
 * Keeps the table true: newcomers from hearsay are asked whether they live, the nodes that were not
 * heard for longest are looked after, buckets that need it and that nobody used are refreshed.
 *
 * It costs by what changes. Whoever was heard anyway is not asked; neighbours are heard by what
 * they ask themselves; and looks at the rest of the table come half as often each time that a node
 * is still there, and at their full pace again when one is gone.
 */
export class TableUpkeep implements ExchangeOwner {
  readonly #context: DhtContext;
  readonly #lookUp: (target: KeyText) => void;
  readonly #introductions = new Map<KeyText, Contact>();
  /** Who is asked whether it lives, and whether that is a look at the table. */
  readonly #pinged = new Map<KeyText, boolean>();
  readonly #usedAt: Instant[] = [];
  #introduceAt: Instant = Number.POSITIVE_INFINITY;
  /** Answers without a stranger that a survey still waits for. */
  #surveyLeft = 0;
  #surveyQuestions = 0;
  #surveyDraws = 0;
  #doubtsLeft = 0;
  /** Nodes that were not there, less those that were, since. */
  #missed = 0;
  #checkAt: Instant = Number.POSITIVE_INFINITY;
  #challengeAt: Instant = Number.NEGATIVE_INFINITY;
  #lookAt: Instant = Number.POSITIVE_INFINITY;
  /** Pause between two looks at the rest of the table. */
  #paceMs: number;
  #refreshAt: Instant = Number.POSITIVE_INFINITY;
  #refreshSelfAt: Instant = Number.POSITIVE_INFINITY;
  #remembered: Contact[] = [];

  /** @param lookUp starts a lookup of the closest nodes to a key */
  constructor(context: DhtContext, lookUp: (target: KeyText) => void) {
    this.#context = context;
    this.#lookUp = lookUp;
    this.#paceMs = context.limits.checkMs;
  }

  /**
   * From now on the table is looked after, beginning with the nodes of an earlier life. Nodes that
   * start together do not tick together.
   */
  start(now: Instant, remembered: readonly Contact[]): void {
    const keys = new Set(remembered.map(({ key }) => key));
    const others = this.#remembered.filter(({ key }) => !keys.has(key));
    this.#remembered = [...remembered, ...others];
    const { limits, random } = this.#context;
    this.#checkAt = now + limits.checkMs * random.unit();
    this.#refreshSelfAt = now + limits.refreshMs * (0.5 + random.unit());
    this.#lookAt = this.#checkAt;
    this.#refreshAt = this.#checkAt;
    this.meet(this.#remembered.splice(0, REMEMBERED_STEP), now);
  }

  /** Whether there may be nodes that have a place, but were not heard. */
  get isMeeting(): boolean {
    if (this.#introductions.size > 0 || this.#surveyLeft > 0) return true;
    const { table } = this.#context;
    for (const key of this.#pinged.keys()) if (table.find(key) === undefined) return true;
    return false;
  }

  /** Somebody told of these nodes. */
  meet(hearsay: readonly Contact[], now: Instant): void {
    const { limits } = this.#context;
    for (const contact of hearsay) {
      if (this.#introductions.size >= limits.introductionsMax) return;
      if (this.#introductions.has(contact.key) || this.#pinged.has(contact.key)) continue;
      if (this.#isWorthIt(contact)) this.#introductions.set(contact.key, contact);
    }
    if (this.#introductions.size > 0) this.#introduceSoon(now);
  }

  /**
   * Asks around until nobody names a stranger who has a place, or may draw one: lookups of the
   * neighbourhood and of each bucket do not come to hear of all.
   */
  survey(now: Instant): void {
    this.#surveyLeft = SURVEY_ANSWERS;
    this.#surveyQuestions = 0;
    this.#surveyDraws = 0;
    this.#doubtsLeft = DOUBTS_MAX;
    this.#introduceSoon(now);
  }

  /**
   * The bucket of a newcomer is full: is the node in it that was not heard for longest still there?
   * Asked seldom, since whoever is asked may have a full bucket too, and a question for each
   * question would never end.
   */
  challenge(newcomer: Contact, now: Instant): void {
    if (now < this.#challengeAt) return;
    const oldest = this.#context.table.leastRecentlyHeardBeside(newcomer.key);
    if (oldest === undefined || now - oldest.heardAt < RECENT_MS) return;
    this.#challengeAt = now + this.#paceMs;
    this.#look(oldest.contact, now);
  }

  /** Something was looked up here: the bucket of the key is in use. */
  used(target: KeyText, now: Instant): void {
    const depth = sharedBits(this.#context.self, target);
    if (depth < REFRESH_DEPTH_MAX) this.#usedAt[depth] = now;
  }

  answered(contact: Contact, response: DhtResponse, now: Instant): void {
    const isLook = this.#pinged.get(contact.key) === true;
    this.#pinged.delete(contact.key);
    this.#missed = Math.max(this.#missed - 1, 0);
    // Whom the table has not taken may be one of any number of names of one machine.
    const isTaken = this.#context.table.find(contact.key) !== undefined;
    if (response.kind === "nodes" && isTaken) {
      const { size } = this.#introductions;
      this.meet(response.contacts, now);
      this.#surveyed(this.#introductions.size > size);
    }
    if (isLook) this.#paceMs = Math.min(2 * this.#paceMs, this.#context.limits.freshMs);
  }

  failed(contact: Contact, now: Instant, isBusy: boolean): void {
    const isLook = this.#pinged.get(contact.key) === true;
    this.#pinged.delete(contact.key);
    if (isBusy) {
      // It waits for its turn again, or nobody else would ever be looked at.
      this.#context.table.heard(contact.key, now);
      return;
    }
    this.#missed = Math.min(this.#missed + 1, MISSED_FEW);
    this.#surveyed(false);
    if (isLook) this.#paceMs = this.#context.limits.checkMs;
  }

  timeout(now: Instant): void {
    const { limits } = this.#context;
    if (now >= this.#introduceAt) {
      if (!this.#context.exchanges.isFull) this.#introduceOne(now);
      if (this.#introductions.size === 0)
        this.meet(this.#remembered.splice(0, REMEMBERED_STEP), now);
      const isMore = this.#introductions.size > 0 || this.#surveyLeft > 0;
      const haste = this.#pinged.size + this.#missed < MISSED_FEW ? HASTE : 1;
      if (isMore) this.#introduceAt = now + limits.introduceMs / haste;
      else this.#introduceAt = this.#doubt() ? now + DOUBT_MS : Number.POSITIVE_INFINITY;
    }
    const { checkMs } = limits;
    if (now >= this.#checkAt) {
      const pauseMs = Math.min(this.#paceMs, 2 * checkMs);
      this.#checkAt = Math.max(this.#checkNeighbours(now), now + pauseMs);
    }
    if (now >= this.#lookAt) this.#lookAt = Math.max(this.#checkAll(now), now + this.#paceMs);
    if (now >= this.#refreshAt) this.#refreshAt = Math.max(this.#refresh(now), now + checkMs);
  }

  deadline(): Instant {
    return Math.min(this.#introduceAt, this.#checkAt, this.#lookAt, this.#refreshAt);
  }

  #introduceSoon(now: Instant): void {
    const isIdle = this.#introduceAt === Number.POSITIVE_INFINITY;
    if (isIdle) this.#introduceAt = now + this.#context.limits.introduceMs;
  }

  #introduceOne(now: Instant): void {
    const { table, random } = this.#context;
    for (const [key, contact] of this.#introductions) {
      this.#introductions.delete(key);
      if (!this.#isWorthIt(contact)) continue;
      if (!table.wants(contact)) this.#surveyDraws += 1;
      this.#ping(contact, now, this.#greeting());
      return;
    }
    if (this.#surveyLeft === 0) return;
    this.#surveyQuestions += 1;
    if (this.#surveyQuestions >= SURVEY_QUESTIONS_MAX) this.#surveyLeft = 0;
    const anyone = table.contacts[Math.floor(random.unit() * table.size)];
    const isAsked = anyone !== undefined && this.#ping(anyone, now, this.#greeting());
    if (!isAsked) this.#surveyed(false);
  }

  /** Whether a stranger has a place, or may get one while this node looks for whom to know. */
  #isWorthIt(contact: Contact): boolean {
    const { table } = this.#context;
    if (table.wants(contact)) return true;
    const mayDraw = this.#surveyLeft > 0 && this.#surveyDraws < SURVEY_DRAWS_MAX;
    return mayDraw && table.outdraws(contact);
  }

  /** Somebody who was asked has named strangers, or nobody new. */
  #surveyed(isNews: boolean): void {
    if (this.#surveyLeft > 0) this.#surveyLeft = isNews ? SURVEY_ANSWERS : this.#surveyLeft - 1;
  }

  /**
   * Nobody names a stranger any more. Where there should be some by the few neighbourhoods that
   * were seen so far, most of them around this node, others are looked at: that scatters.
   */
  #doubt(): boolean {
    const { table, random } = this.#context;
    if (this.#doubtsLeft === 0 || !table.isWhole || !seemsLarger(this.#context)) return false;
    this.#doubtsLeft -= 1;
    this.#lookUp(keyOf(random.bytes(KEY_BYTES)));
    return true;
  }

  /** Others depend on neighbours. @returns when one will not have been heard for too long */
  #checkNeighbours(now: Instant): Instant {
    const { table, limits, self } = this.#context;
    const neighbours = table.closest(self, NEIGHBOUR_SETS * limits.bucketSize);
    const oldest = table.leastRecentlyHeard(neighbours);
    if (oldest === undefined) return now;
    const staleAt = oldest.heardAt + limits.freshMs;
    if (now >= staleAt) this.#ping(oldest.contact, now);
    return staleAt;
  }

  /** @returns when somebody of the table will not have been heard for too long */
  #checkAll(now: Instant): Instant {
    const oldest = this.#context.table.leastRecentlyHeard();
    if (oldest === undefined) return now;
    const staleAt = oldest.heardAt + this.#context.limits.freshMs;
    if (now >= staleAt) this.#look(oldest.contact, now);
    return staleAt;
  }

  /**
   * Looks up this node itself and a key from anywhere, or in one bucket that nobody used.
   *
   * @returns when the next one is due
   */
  #refresh(now: Instant): Instant {
    const { self, limits, random } = this.#context;
    if (now >= this.#refreshSelfAt) {
      this.#refreshSelfAt = now + limits.refreshMs;
      this.#lookUp(self);
      // The size of the network is not learned from one neighbourhood alone.
      this.#lookUp(keyOf(random.bytes(KEY_BYTES)));
      if (this.#context.table.isWhole) this.survey(now);
    } else {
      const due = this.#leastRecentlyUsed(now);
      if (due !== undefined && now >= (this.#usedAt[due] ?? now) + limits.refreshMs) {
        this.#usedAt[due] = now;
        this.#lookUp(keyBeside(self, due, random.bytes(KEY_BYTES)));
      }
    }
    const next = this.#leastRecentlyUsed(now);
    const nextAt = next === undefined ? this.#refreshSelfAt : (this.#usedAt[next] ?? now);
    return Math.min(this.#refreshSelfAt, nextAt + limits.refreshMs);
  }

  /**
   * The bucket that was not looked up in for longest of those that need it: all where everybody is
   * kept, else those that have room. Buckets so deep that they are all of one closest set are
   * looked up in whenever this node looks for itself.
   */
  #leastRecentlyUsed(now: Instant): number | undefined {
    const { limits, random, table } = this.#context;
    let beyond = table.size;
    let oldest: number | undefined;
    for (let depth = 0; depth < REFRESH_DEPTH_MAX && beyond > limits.bucketSize; depth++) {
      const size = table.sizeAt(depth);
      beyond -= size;
      // A bucket that was never used counts from about now on, so that not all come at once.
      this.#usedAt[depth] ??= now - limits.refreshMs * random.unit();
      const usedAt = this.#usedAt[depth] ?? now;
      if (!table.isWhole && size >= limits.bucketSize) continue;
      if (oldest === undefined || usedAt < (this.#usedAt[oldest] ?? now)) oldest = depth;
    }
    return oldest;
  }

  /** Asks a node of the table, and learns from what comes of it how much changes. */
  #look(contact: Contact, now: Instant): void {
    if (this.#ping(contact, now)) this.#pinged.set(contact.key, true);
  }

  /**
   * What a newcomer is asked: whether it lives, and, where everybody is kept or this node has just
   * joined, whom it knows around some key.
   */
  #greeting(): DhtRequest {
    const { table, random } = this.#context;
    return table.isWhole || this.#surveyLeft > 0
      ? { kind: "find-node", target: random.bytes(KEY_BYTES) }
      : PING;
  }

  #ping(contact: Contact, now: Instant, request: DhtRequest = PING): boolean {
    if (this.#pinged.has(contact.key)) return false;
    const { table, exchanges } = this.#context;
    if (table.isElsewhere(contact)) {
      // This node was of a private network before: it is heard still, and told of no more.
      table.remove(contact.key, now);
      return false;
    }
    const isAsked = exchanges.ask(contact, request, this, now);
    if (isAsked) this.#pinged.set(contact.key, false);
    return isAsked;
  }
}
