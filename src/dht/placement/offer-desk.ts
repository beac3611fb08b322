import { assert, equalBytes, type Instant, LruMap, NumberMap } from "../../base/index.ts";
import type { NodeId } from "../../identity/index.ts";
import { FairShare } from "../../retx/index.ts";
import type { Contact } from "../wire/contact.ts";
import type { KeyText } from "../wire/key.ts";
import { CopyBudget } from "./copy-budget.ts";
import type { WatchEffect } from "./record-watch-core.ts";

/** Names one offer while it is made. */
export type OfferId = number;

/** Offers under way at once, and those that wait for their turn; more are made at the next look. */
const OFFERS_AT_ONCE = 32;
const OFFERS_WAITING_MAX = 16_384;
/** Who is not there is offered nothing for so long: until the next look. */
const ABSENT_MS = 30_000;
/** Nodes that were not there lately. */
const ABSENT_MAX = 256;

/** A record that is to be offered to a node. */
export type Offer = WatchEffect;

/** An offer that is being made. */
export interface OpenOffer extends Offer {
  /** Whom it counts for. */
  readonly source: string;
  /** The record was stored meanwhile: what was read before may be out of date. */
  isStoredAnew: boolean;
}

/**
 * The offers of a node: those that are being made, and those that wait. Of both no source has more
 * than are left, so that who is slow to answer holds up nobody else.
 */
export class OfferDesk {
  readonly #recordsKept: () => number;
  readonly #find: (id: NodeId) => Contact | undefined;
  readonly #budget = new CopyBudget();
  readonly #waiting = new Map<string, Offer[]>();
  #waitingSize = 0;
  readonly #open = new NumberMap<OpenOffer>();
  readonly #openOf = new FairShare();
  readonly #absentUntil = new LruMap<KeyText, Instant>(ABSENT_MAX);
  #lastId = 0;

  /**
   * @param recordsKept how many records there are to offer
   * @param find a node that is known
   */
  constructor(recordsKept: () => number, find: (id: NodeId) => Contact | undefined) {
    this.#recordsKept = recordsKept;
    this.#find = find;
  }

  /** Takes in an offer; false when it has to come at a later look. */
  add(offer: Offer, now: Instant): boolean {
    if (now < (this.#absentUntil.get(offer.to.key) ?? 0)) return false;
    const source = this.#sourceOf(offer.to);
    const waiting = this.#waiting.get(source) ?? [];
    if (waiting.length >= OFFERS_WAITING_MAX - this.#waitingSize) return false;
    if (!this.#budget.take(source, this.#recordsKept(), now)) return false;
    waiting.push(offer);
    this.#waitingSize += 1;
    this.#waiting.set(source, waiting);
    return true;
  }

  /** The next offer that is to be made, from now on under way. */
  next(): readonly [OfferId, Offer] | undefined {
    for (const [source, waiting] of this.#waiting) {
      if (!this.#openOf.take(source, OFFERS_AT_ONCE - this.#open.size)) continue;
      const offer = waiting.pop();
      assert(offer !== undefined, "who waits has an offer");
      this.#left(source, waiting, 1);
      this.#lastId += 1;
      this.#open.set(this.#lastId, { ...offer, source, isStoredAnew: false });
      return [this.#lastId, offer];
    }
    return undefined;
  }

  /** A record has been stored. */
  stored(address: Uint8Array): void {
    for (const offer of this.#open.values()) {
      if (equalBytes(offer.address, address)) offer.isStoredAnew = true;
    }
  }

  /** The offer is no longer under way. */
  close(id: OfferId): OpenOffer | undefined {
    const offer = this.#open.get(id);
    if (offer === undefined) return undefined;
    this.#open.delete(id);
    this.#openOf.leave(offer.source);
    return offer;
  }

  /** A node is not there. @returns what has waited for it */
  absent(node: Contact, now: Instant): readonly Offer[] {
    this.#absentUntil.set(node.key, now + ABSENT_MS);
    const source = this.#sourceOf(node);
    const waiting = this.#waiting.get(source) ?? [];
    const dropped = waiting.filter(({ to }) => to.names(node));
    const others = waiting.filter(({ to }) => !to.names(node));
    this.#left(source, others, dropped.length);
    for (const _ of dropped) this.#budget.refund(source, this.#recordsKept(), now);
    return dropped;
  }

  #left(source: string, waiting: Offer[], fewer: number): void {
    this.#waitingSize -= fewer;
    if (waiting.length > 0) this.#waiting.set(source, waiting);
    else this.#waiting.delete(source);
  }

  /**
   * Whom a node counts for, since ids cost nothing: its network, or that of the relay that it
   * names. Relays that nobody knows may be made up: those are one. In a private network each node
   * counts for itself.
   */
  #sourceOf(node: Contact): string {
    if (node.isLocal && !node.isPlaced) return node.key;
    if (node.network >= 0) return `network ${node.network}`;
    const [id] = node.relays;
    const relay = id && this.#find(id);
    if (relay === undefined || relay.isRelayed) return "relays";
    return relay.isLocal ? `relay ${relay.key}` : `relays of ${relay.network}`;
  }
}
