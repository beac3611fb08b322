import { equalBytes, NumberMap } from "../../base/index.ts";
import type { WatchEffect } from "./record-watch-core.ts";

/** Names one offer while it is made. */
export type OfferId = number;

/** Offers under way at once, and those that wait for their turn; more are made at the next look. */
const OFFERS_AT_ONCE = 16;
const OFFERS_WAITING_MAX = 16_384;

/** A record that is to be offered to a node. */
export type Offer = WatchEffect;

/** An offer that is being made. */
export interface OpenOffer extends Offer {
  /** The record was stored meanwhile: what was read before may be out of date. */
  isStoredAnew: boolean;
}

/** The offers of a node: those that are being made, and those that wait. */
export class OfferDesk {
  readonly #waiting: Offer[] = [];
  readonly #open = new NumberMap<OpenOffer>();
  #lastId = 0;

  /** Takes an offer in; false when too many wait. */
  add(offer: Offer): boolean {
    if (this.#waiting.length >= OFFERS_WAITING_MAX) return false;
    this.#waiting.push(offer);
    return true;
  }

  /** The next offer that is to be made, from now on under way. */
  next(): readonly [OfferId, Offer] | undefined {
    if (this.#open.size >= OFFERS_AT_ONCE) return undefined;
    const offer = this.#waiting.shift();
    if (offer === undefined) return undefined;
    this.#lastId += 1;
    this.#open.set(this.#lastId, { ...offer, isStoredAnew: false });
    return [this.#lastId, offer];
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
    this.#open.delete(id);
    return offer;
  }
}
