import type { Instant } from "../../base/index.ts";
import type { DhtContext } from "../exchange/dht-context.ts";
import type { ExchangeOwner } from "../exchange/exchange-desk.ts";
import type { Contact } from "../wire/contact.ts";
import { compareDistance, type KeyText, textBytes } from "../wire/key.ts";
import type { DhtRequest, DhtResponse, DhtValue, StoreRefusal } from "../wire/message.ts";
import type { OperationHooks } from "./operation.ts";
import { Search } from "./search.ts";

/** Where this node's own stores are counted. */
const OWN_SOURCE = "";
/** Of a neighbourhood that is too dense, so many are believed to be keepers beside the region's. */
const NEAREST_OF_DENSE = 5;

/**
 * Stores a value at the nodes closest to its key: finds them, asks all at once, and goes to the
 * next closest for each that fails. Settled at the quorum; the rest is finished behind that. Where
 * everybody is known, nobody is looked for first.
 *
 * Where ids crowd around the key, the value goes to the whole region that honest density spans, so
 * that whoever ground those ids does not hold every copy.
 */
export class PutOperation implements ExchangeOwner {
  readonly #context: DhtContext;
  readonly #key: KeyText;
  readonly #value: DhtValue;
  /** One for all who need no token, so that it is encoded once. */
  readonly #store: DhtRequest & { readonly kind: "store" };
  readonly #replicas: number;
  readonly #quorum: number;
  readonly #isCopy: boolean;
  readonly #hooks: OperationHooks;
  readonly #search: Search;
  #spare: Contact[] = [];
  #open = new Set<KeyText>();
  #wanted = 0;
  readonly #keptBy = new Set<KeyText>();
  #needsTokens = false;
  /** There was no room for a store, here or there. */
  #wasRefused = false;
  #asked = 0;
  #ttlSeconds = Number.POSITIVE_INFINITY;
  readonly #refusals = new Map<StoreRefusal, number>();
  #isSearching = false;
  #isSettled = false;
  #isEnded = false;

  constructor(
    context: DhtContext,
    asked: {
      readonly key: KeyText;
      readonly value: DhtValue;
      readonly replicas: number;
      readonly quorum: number;
      /** From a keeper that looks for others, not from who wrote the value. */
      readonly isCopy: boolean;
    },
    hooks: OperationHooks,
  ) {
    this.#context = context;
    this.#key = asked.key;
    this.#value = asked.value;
    this.#replicas = asked.replicas;
    this.#quorum = Math.min(asked.quorum, asked.replicas);
    this.#isCopy = asked.isCopy;
    const { value, isCopy } = asked;
    this.#store = { kind: "store", key: textBytes(asked.key), value, isCopy };
    this.#hooks = hooks;
    this.#search = new Search(context, asked.key, {
      requestNear: (near) => ({ kind: "find-node", target: near }),
      took: () => false,
      late: hooks.late,
      ended: (now) => this.#fanOutFound(now),
    });
  }

  start(now: Instant): void {
    const { table, limits, peers, knowsAll } = this.#context;
    const isGood = ({ key }: Contact): boolean =>
      !peers.isSilent(key) && !peers.isDemoted(key, now);
    const near = knowsAll() ? table.closest(this.#key, 2 * limits.bucketSize, isGood) : [];
    const isEnough = near.length > 0 && !this.#search.isTooDense(near.slice(0, limits.bucketSize));
    if (isEnough) this.#fanOut(near.slice(0, this.#replicas), near.slice(this.#replicas), now);
    else this.#seek(now);
  }

  /** Stores at those who were found: whoever names closer nodes without end must not prevent it. */
  hurry(now: Instant): void {
    if (this.#isSearching && this.#search.answerers.size > 0) this.#fanOutFound(now);
  }

  expire(): void {
    this.#conclude();
  }

  stop(): void {
    this.#search.stop();
    this.#context.exchanges.release(this);
  }

  answered(contact: Contact, response: DhtResponse, now: Instant): void {
    this.#open.delete(contact.key);
    if (response.kind === "stored") this.#took(contact.key, response.ttlSeconds);
    else if (response.kind === "refused") this.#refused(response.reason);
    else this.#context.peers.blame(contact.key, now);
    this.#advance(now);
  }

  silent(contact: Contact, now: Instant): void {
    this.#open.delete(contact.key);
    this.#advance(now);
  }

  failed(contact: Contact, now: Instant, isBusy: boolean): void {
    if (isBusy) this.#wasRefused = true;
    this.silent(contact, now);
  }

  resume(now: Instant): void {
    this.#advance(now);
  }

  #seek(now: Instant): void {
    this.#isSearching = true;
    this.#search.start(now);
  }

  /** Stores at the nodes that were found. */
  #fanOutFound(now: Instant): void {
    this.#isSearching = false;
    // What comes later must not bring it back to life.
    this.#search.stop();
    const keepers = this.#keepers(now);
    // Not before: what a crowd says of the network must not tell how wide this region is.
    this.#search.learnSize();
    const chosen = new Set(keepers.map(({ key }) => key));
    const others = this.#search.closest(Number.POSITIVE_INFINITY, ({ key }) => !chosen.has(key));
    this.#fanOut(keepers, others, now);
  }

  #fanOut(keepers: readonly Contact[], others: readonly Contact[], now: Instant): void {
    this.#wanted = Math.max(this.#replicas, keepers.length);
    this.#spare = [...keepers, ...others].filter(({ key }) => !this.#keptBy.has(key));
    const furthest = keepers[this.#replicas - 1]?.key;
    const { self } = this.#context;
    const isKeeper = furthest === undefined || compareDistance(this.#key, self, furthest) < 0;
    if (isKeeper && !this.#keptBy.has(self)) this.#storeHere(now);
    this.#advance(now);
  }

  /** The closest that answered; where ids crowd, those of the honest region instead. */
  #keepers(now: Instant): Contact[] {
    const { peers } = this.#context;
    const isTrusted = ({ key }: Contact): boolean => !peers.isDemoted(key, now);
    if (!this.#search.isWidened) return this.#search.closest(this.#replicas, isTrusted);
    const nearest = this.#search.closest(NEAREST_OF_DENSE, isTrusted);
    const region = this.#search
      .closest(Number.POSITIVE_INFINITY, (contact) => {
        return isTrusted(contact) && this.#search.isInRegion(contact);
      })
      // The outer part of the region is the honest one: the crowd is around the key.
      .slice(-2 * this.#replicas);
    return [...new Set([...nearest, ...region])];
  }

  #storeHere(now: Instant): void {
    const context = { source: OWN_SOURCE, now, isCopy: this.#isCopy };
    const outcome = this.#context.store.put(this.#key, this.#value, context);
    if (outcome.kind === "stored") this.#took(this.#context.self, outcome.ttlSeconds);
    else this.#refused(outcome.reason);
  }

  #advance(now: Instant): void {
    if (this.#isEnded) return;
    if (this.#keptBy.size >= this.#quorum) this.#settle();
    const { exchanges, limits } = this.#context;
    while (this.#open.size < limits.storesAtOnce) {
      if (this.#keptBy.size + this.#open.size >= this.#wanted) break;
      if (exchanges.isFull && this.#spare.length > 0) {
        exchanges.waitForRoom(this);
        return;
      }
      const next = this.#spare.shift();
      if (next === undefined) break;
      exchanges.ask(next, this.#request(next), this, now);
      this.#open.add(next.key);
      this.#asked += 1;
    }
    if (this.#open.size > 0) return;
    if (this.#needsTokens && this.#search.asked === 0) {
      // Whoever asks from an unproven address has to ask for something else first.
      this.#needsTokens = false;
      this.#refusals.delete("token");
      this.#seek(now);
      return;
    }
    this.#conclude();
  }

  #conclude(): void {
    const isHeard = this.#isSettled || this.#keptBy.size > 0 || this.#refusals.size > 0;
    const isWaiting = this.#context.exchanges.isWaiting(this);
    const isHampered = isWaiting || this.#wasRefused || this.#search.isHampered;
    this.stop();
    if (isHeard || !isHampered) this.#settle();
    else this.#hooks.busy();
    this.#end();
  }

  #request(to: Contact): DhtRequest {
    const token = this.#search.answerers.get(to.key)?.token;
    return token === undefined ? this.#store : { ...this.#store, token };
  }

  #took(keeper: KeyText, ttlSeconds: number): void {
    this.#keptBy.add(keeper);
    this.#ttlSeconds = Math.min(this.#ttlSeconds, ttlSeconds);
  }

  #refused(reason: StoreRefusal): void {
    if (reason === "token") this.#needsTokens = true;
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1);
  }

  #settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#hooks.settled({
      kind: "put",
      stored: this.#keptBy.size,
      ttlSeconds: this.#keptBy.size === 0 ? 0 : this.#ttlSeconds,
      refusals: [...this.#refusals].toSorted((a, b) => b[1] - a[1]).map(([reason]) => reason),
      asked: Math.max(this.#search.asked, this.#asked),
    });
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#hooks.ended();
  }
}
