import type { Instant } from "../../base/index.ts";
import { addressScope, isLoopback } from "../../identity/index.ts";
import type { HostPort } from "../carrier/carrier.ts";
import { Observations, type SeenAddress, type Sighting } from "../observations.ts";
import type { PunchLimits } from "./limits.ts";
import type { NatMapping } from "./offer.ts";

/**
 * At which addresses others reach us, by what they say: any of them may lie, so that more votes
 * come first, and what the NAT does is only guessed.
 */
export class OwnAddresses {
  readonly #limits: PunchLimits;
  readonly #seen: Observations<HostPort>;
  #local: readonly HostPort[] = [];
  /** When they changed last. */
  #localSince: Instant = Number.NEGATIVE_INFINITY;

  constructor(limits: PunchLimits) {
    this.#limits = limits;
    this.#seen = new Observations(limits.observersMax, addressKey);
  }

  /** What this machine itself knows: the socket's port at the addresses of its interfaces. */
  setLocal(addresses: readonly HostPort[], now: Instant): void {
    const isKnown = (address: HostPort): boolean => this.#local.some((at) => isSame(at, address));
    const isUnchanged = addresses.length === this.#local.length && addresses.every(isKnown);
    if (!isUnchanged) this.#localSince = now;
    this.#local = addresses;
  }

  /** Takes the word of a node, in place of the one before. */
  observe(sighting: Sighting<HostPort>, now: Instant): void {
    this.#seen.take(sighting, now);
  }

  /** The addresses to be told to a peer, those that most nodes have seen first. */
  list(now: Instant): HostPort[] {
    const seen = this.#tally(now).map(({ address }) => address);
    const local = this.#local.filter((address) => !seen.some((other) => isSame(address, other)));
    // The observed ones are what strangers need; room is left for those in the same network.
    return [
      ...seen.slice(0, this.#limits.addressesMax - Math.min(local.length, 4)),
      ...local,
    ].slice(0, this.#limits.addressesMax);
  }

  /** Hosts that others have seen us at. */
  observedHosts(now: Instant): string[] {
    return this.#tally(now).map(({ address }) => address.host);
  }

  /**
   * What two observers or more show about the NAT. Not by what was seen in another network, or when
   * the NAT had another address: that differs whatever the NAT does.
   */
  mapping(now: Instant): NatMapping {
    const all = this.#tally(now, this.#localSince).filter(({ address }) => {
      return !address.host.includes(":");
    });
    const newest = all.toSorted((a, b) => b.at - a.at)[0]?.address.host;
    const tally = all.filter(({ address }) => address.host === newest);
    const votes = tally.reduce((sum, { count }) => sum + count, 0);
    if (votes < 2) return "unknown";
    return tally.length === 1 ? "endpoint-independent" : "endpoint-dependent";
  }

  #tally(
    now: Instant,
    since: Instant = Number.NEGATIVE_INFINITY,
  ): readonly SeenAddress<HostPort>[] {
    return this.#seen.list(Math.max(since, now - this.#limits.observationMs));
  }
}

/**
 * Which hosts may be probed for a peer that gave these addresses. Those that mean something only
 * inside a network are, when both seem to be in the same one; others could be anybody's. So could
 * those of this machine alone: in the open a peer on it has other addresses, too.
 */
export function probeableHosts(
  given: readonly HostPort[],
  ownHosts: readonly string[],
): (host: string) => boolean {
  const isPublic = (host: string): boolean => addressScope(host) === "public";
  const theirs = given.map(({ host }) => host).filter(isPublic);
  const ours = ownHosts.filter(isPublic);
  const isIsolated = theirs.length === 0 && ours.length === 0;
  const isSameNetwork = isIsolated || theirs.some((host) => ours.includes(host));
  return (host) => {
    if (isPublic(host)) return true;
    return isSameNetwork && addressScope(host) === "private" && (isIsolated || !isLoopback(host));
  };
}

/** An address as a key for tables. */
export function addressKey({ host, port }: HostPort): string {
  return `${host}|${port}`;
}

function isSame(a: HostPort, b: HostPort): boolean {
  return a.host === b.host && a.port === b.port;
}
