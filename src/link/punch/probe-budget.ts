import type { Instant } from "../../base/index.ts";
import { addressPrefix } from "../../identity/index.ts";
import { RateTable, TokenBucket } from "../../retx/index.ts";
import type { HostPort } from "../carrier/carrier.ts";
import type { PunchLimits } from "./limits.ts";

/**
 * How much may be sent to addresses that nobody has proved to be the peer's: so little, in all and
 * towards each network, that pointing us at somebody else is not worth the trouble.
 */
export class ProbeBudget {
  readonly #all: TokenBucket;
  readonly #networks: RateTable;

  constructor(limits: PunchLimits, now: Instant) {
    this.#all = new TokenBucket(
      { capacity: limits.probesBurst, perSecond: limits.probesPerSecond },
      now,
    );
    this.#networks = new RateTable(
      { capacity: limits.probesPerNetworkBurst, perSecond: limits.probesPerNetworkPerSecond },
      limits.ratesMax,
    );
  }

  /** Takes one probe towards `to`; false when it must not leave now. */
  take(to: HostPort, now: Instant): boolean {
    if (!this.#all.take(1, now)) return false;
    if (this.#networks.take(addressPrefix(to.host), now)) return true;
    this.#all.refund(1);
    return false;
  }
}
