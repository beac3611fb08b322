import type { NodeDescriptor } from "../identity/index.ts";
import { epochOf } from "../onion/index.ts";

/** On which side of the others a clock is that is more than an hour off. */
export type ClockSide = "ahead of" | "behind";

/**
 * Where most of the nodes have this machine's clock, by the epochs for which they have onion keys
 * now: of the present one, and near its end of the next. They say nothing of less than an hour;
 * two hours are always seen.
 *
 * @param nodes as they have described themselves lately
 */
export function clockSideOf(
  nodes: readonly NodeDescriptor[],
  unixMs: number,
): ClockSide | undefined {
  const here = epochOf(unixMs);
  const theirs = nodes
    .filter(({ claims }) => claims.onionKeys.length > 0)
    .map(({ claims }) => Math.min(...claims.onionKeys.map(({ epoch }) => epoch)));
  const isMost = (some: readonly number[]): boolean => 2 * some.length > theirs.length;
  if (isMost(theirs.filter((epoch) => epoch < here - 1))) return "ahead of";
  if (isMost(theirs.filter((epoch) => epoch > here + 1))) return "behind";
  return undefined;
}
