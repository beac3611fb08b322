import { CulvertError, type Instant, toHex } from "../../base/index.ts";
import {
  isSameNode,
  type NodeId,
  nodeIdOf,
  nodeIdText,
  publicPrefix,
} from "../../identity/index.ts";
import { RateTable } from "../../retx/index.ts";
import type { PunchLimits } from "./limits.ts";
import { type Offer, readOffer } from "./offer.ts";

/** Why an offer, or an answer, is not taken. */
export type OfferFault =
  | "malformed"
  | "misdirected"
  | "expired"
  | "replayed"
  | "forged"
  | "limited";

/** An offer as it arrived. */
export interface Arrival {
  readonly from: NodeId;
  readonly via: NodeId;
  /** The host that `via` is at, if that is known. */
  readonly viaHost?: string | undefined;
  readonly bytes: Uint8Array;
  readonly unixMs: number;
}

/** Where an offer came from: the network of its rendezvous. A private one is for itself. */
export function placeOf({ via, viaHost }: Pick<Arrival, "via" | "viaHost">): string {
  return (viaHost === undefined ? undefined : publicPrefix(viaHost)) ?? nodeIdText(via);
}

/**
 * Decides which offers are worth an answer: cheap checks first, the signature last, and nothing
 * twice. A nonce is remembered for as long as its offer could be repeated.
 */
export class OfferDesk {
  readonly #self: NodeId;
  readonly #limits: PunchLimits;
  /** Nonces with their expiry, oldest first. */
  readonly #nonces = new Map<string, number>();
  /** Of all rendezvous in one network: ids cost nothing. */
  readonly #byPlace: RateTable;
  /** Of one sender through one rendezvous, which knows who it is. */
  readonly #byWay: RateTable;
  readonly #byPeer: RateTable;

  constructor(self: NodeId, limits: PunchLimits) {
    this.#self = self;
    this.#limits = limits;
    this.#byPlace = new RateTable(
      { capacity: limits.offersBurst, perSecond: limits.offersPerSecond },
      limits.ratesMax,
    );
    this.#byWay = new RateTable(
      { capacity: limits.offersPerWayBurst, perSecond: limits.offersPerWayPerSecond },
      limits.ratesMax,
    );
    this.#byPeer = new RateTable(
      { capacity: limits.offersPerPeerBurst, perSecond: limits.offersPerPeerPerSecond },
      limits.ratesMax,
    );
  }

  /** Reads what came, and checks all but signature, nonce and rates. */
  read({ from, via, bytes, unixMs }: Arrival): Offer | OfferFault {
    let offer: Offer;
    try {
      offer = readOffer(bytes);
    } catch (error) {
      if (error instanceof CulvertError) return "malformed";
      throw error;
    }
    const isForUs = isSameNode(offer.to, this.#self) && isSameNode(offer.via, via);
    const isFromThem = isSameNode(nodeIdOf(offer.publicKey), from) && !isSameNode(from, this.#self);
    if (!isForUs || !isFromThem) return "misdirected";
    const { offerLifeMs, clockSkewMs } = this.#limits;
    const leftMs = offer.expiresAtUnixMs - unixMs;
    if (leftMs < -clockSkewMs || leftMs > offerLifeMs + clockSkewMs) return "expired";
    return offer;
  }

  /** Takes an offer in; tells why not. */
  admit(offer: Offer, arrival: Arrival, now: Instant): OfferFault | undefined {
    const { from, unixMs } = arrival;
    this.#forgetExpired(unixMs);
    const nonce = toHex(offer.publicKey) + toHex(offer.nonce);
    if (this.#nonces.has(nonce)) return "replayed";
    // A full table refuses: to forget a nonce would let its offer be played again.
    if (this.#nonces.size >= this.#limits.noncesMax) return "limited";
    const fault = this.verify(offer, arrival, now);
    if (fault !== undefined) return fault;
    // Only now: whoever forges offers of a peer must not use up what the peer may send.
    if (!this.#byPeer.take(nodeIdText(from), now)) return "limited";
    this.#nonces.set(nonce, offer.expiresAtUnixMs + this.#limits.clockSkewMs);
    return undefined;
  }

  /**
   * Verifies what `via` has brought, no more often than it may make us, with all others where it
   * is, and each of those who send through it: one must not use up what the others may.
   */
  verify(
    offer: Offer,
    { from, via, viaHost }: Pick<Arrival, "from" | "via" | "viaHost">,
    now: Instant,
  ): OfferFault | undefined {
    if (!this.#byWay.take(nodeIdText(via) + nodeIdText(from), now)) return "limited";
    if (!this.#byPlace.take(placeOf({ via, viaHost }), now)) return "limited";
    return offer.isSigned() ? undefined : "forged";
  }

  #forgetExpired(unixMs: number): void {
    for (const [nonce, expiresAt] of this.#nonces) {
      if (expiresAt < unixMs) this.#nonces.delete(nonce);
    }
  }
}
