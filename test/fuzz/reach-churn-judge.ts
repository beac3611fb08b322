import { isSameNode } from "../../src/identity/index.ts";
import { PUNCH_LIMITS } from "../../src/link/punch/limits.ts";
import type { Life, ReachChurnNode } from "./reach-churn-node.ts";

/** A voucher that has expired may be held for so long: clocks differ. */
const EXPIRED_MS = 3_600_000;

/** What is judged at any moment of a life, whoever does harm to it. */
export interface ReachSurroundings {
  readonly unixMs: number;
  /** Milliseconds since the life began. */
  readonly ageMs: number;
  /** Ids of others that there are. */
  readonly others: number;
  readonly relays: readonly ReachChurnNode[];
}

/** What is wrong with a life now. */
export function faultsOf(
  { id }: ReachChurnNode,
  { host, reach }: Life,
  { unixMs, ageMs, others, relays }: ReachSurroundings,
): string[] {
  const faults: string[] = [];
  for (const voucher of reach.vouchers) {
    const isKnown = relays.some((relay) => isSameNode(relay.id, voucher.relay));
    const isGood = isKnown && voucher.isFor(id, unixMs - EXPIRED_MS);
    if (!isGood) faults.push("a voucher of somebody else is listed");
  }
  for (const { path } of host.links()) {
    if (path?.isRelayed !== true) continue;
    const via = relays.find((relay) => path.via !== undefined && isSameNode(relay.id, path.via));
    if (via === undefined) faults.push("a relayed path leads through nobody");
    // It may have lost its path since: then nothing is known.
    else if (host.find(via.id)?.path?.isRelayed === true) faults.push("a relay over a relay");
  }
  const { offersPerPeerBurst, offersPerPeerPerSecond } = PUNCH_LIMITS;
  const offersMax = others * (offersPerPeerBurst + (offersPerPeerPerSecond * ageMs) / 1_000);
  const { offersTaken } = reach.punching.statistics;
  if (offersTaken > offersMax) faults.push(`${offersTaken} offers taken`);
  return faults;
}
