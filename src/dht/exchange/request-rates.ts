import type { Instant } from "../../base/index.ts";
import { RateTable } from "../../retx/index.ts";
import { allocationAt } from "../wire/contact.ts";
import { byteText } from "../wire/key.ts";
import type { DhtAsker } from "../wire/message.ts";

/** Requests that one node may make in a burst, and each second in the long run. */
const PER_PEER = { capacity: 2_048, perSecond: 512 } as const;
/** The same of all nodes of one allocation of addresses, or behind one relay. */
const PER_NETWORK = { capacity: 8_192, perSecond: 2_048 } as const;
/** Of each so many are remembered; the one that was quiet for longest is forgotten. */
const ASKERS_MAX = 4_096;

/**
 * How many requests of others are answered. Most cost some 10 us, the store of a signed value a
 * tenth of a millisecond: without a limit a single peer could have all of a node. Ids cost nothing,
 * so those who share an allocation share a rate too; a peer beyond its own takes nothing of that.
 */
export class RequestRates {
  readonly #peers = new RateTable(PER_PEER, ASKERS_MAX);
  readonly #networks = new RateTable(PER_NETWORK, ASKERS_MAX);

  /** @param host where the asker is heard, if that is proven */
  admits({ id, source }: DhtAsker, host: string | undefined, now: Instant): boolean {
    if (id !== undefined && !this.#peers.take(byteText(id), now)) return false;
    const network = host === undefined ? source : `allocation ${allocationAt(host)}`;
    return this.#networks.take(network, now);
  }
}
