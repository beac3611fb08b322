import type { NodeDescriptor } from "../../identity/index.ts";
import { EPOCH_LEAD_MS, EPOCH_MS } from "../../onion/index.ts";

/** On which side of the others a clock is that is hours off. */
export type ClockSide = "ahead of" | "behind";

/** So far off a clock is surely told; one that is off by two thirds of that surely not. */
const OFF_MS = 2 * 3_600_000;
/** What a node says of itself may be so old. */
const LAG_MS = 60_000;

/**
 * Where most of the nodes have this machine's clock, by the epochs for which they have onion keys
 * now: of the present one, and in its last third of the next.
 *
 * @param nodes as they have just described themselves
 */
export function clockSideOf(
  nodes: readonly NodeDescriptor[],
  unixMs: number,
): ClockSide | undefined {
  const theirs = nodes
    .filter(({ claims }) => claims.onionKeys.length > 0)
    .map(({ claims }) => timesOf(claims.onionKeys.map(({ epoch }) => epoch)));
  const isMost = (some: readonly unknown[]): boolean => 2 * some.length > theirs.length;
  if (isMost(theirs.filter(({ from }) => unixMs - from >= OFF_MS))) return "ahead of";
  if (isMost(theirs.filter(({ until }) => until - unixMs >= OFF_MS))) return "behind";
  return undefined;
}

/** What time it may be where these are the epochs of the keys that are told. */
function timesOf(epochs: readonly number[]): { readonly from: number; readonly until: number } {
  const begin = Math.min(...epochs) * EPOCH_MS;
  const lead = begin + EPOCH_MS - EPOCH_LEAD_MS;
  const [from, until] = epochs.length > 1 ? [lead, begin + EPOCH_MS] : [begin, lead];
  return { from, until: until + LAG_MS };
}
