import { type Contact, keyOf } from "../../dht/index.ts";
import type { NodeDescriptor } from "../../identity/index.ts";
import { EPOCH_LEAD_MS, EPOCH_MS } from "../../onion/index.ts";

/** On which side of the others a clock is that is hours off. */
export type ClockSide = "ahead of" | "behind";

/** So far off a clock is surely told; one that is off by two thirds of that surely not. */
const OFF_MS = 2 * 3_600_000;
/** What a node says of itself may be so old. */
const LAG_MS = 60_000;

/** In the place of the network of those who were not heard themselves: they have one voice. */
const UNHEARD = -1;

/** What time it may be for a node. */
interface Times {
  readonly from: number;
  readonly until: number;
}

/**
 * Where most of the nodes have this machine's clock, by the epochs for which they have onion keys
 * now: of the present one, and in its last third of the next.
 *
 * @param nodes as they have just described themselves, and the network of each: those of one have
 *   one voice together, that of most of them, since one owner may have any number of nodes there
 */
export function clockSideOf(
  nodes: Iterable<readonly [NodeDescriptor, number]>,
  unixMs: number,
): ClockSide | undefined {
  const networks = new Map<number, Times[]>();
  for (const [node, network] of nodes) {
    const { onionKeys } = node.claims;
    if (onionKeys.length === 0) continue;
    const alike = networks.get(network) ?? [];
    alike.push(timesOf(onionKeys.map(({ epoch }) => epoch)));
    networks.set(network, alike);
  }
  const isMost = (isSo: (times: Times) => boolean): boolean =>
    isMostOf([...networks.values()], (alike) => isMostOf(alike, isSo));
  if (isMost(({ from }) => unixMs - from >= OFF_MS)) return "ahead of";
  if (isMost(({ until }) => until - unixMs >= OFF_MS)) return "behind";
  return undefined;
}

/** Each node with its network by where it is heard, whatever it says. */
export function withNetworks(
  nodes: readonly NodeDescriptor[],
  contacts: readonly Contact[],
): readonly (readonly [NodeDescriptor, number])[] {
  const networks = new Map(contacts.map(({ key, allocation }) => [key, allocation]));
  return nodes.map((node) => [node, networks.get(keyOf(node.id)) ?? UNHEARD]);
}

function isMostOf<T>(all: readonly T[], isSo: (one: T) => boolean): boolean {
  return 2 * all.filter(isSo).length > all.length;
}

/** What time it may be where these are the epochs of the keys that are told. */
function timesOf(epochs: readonly number[]): Times {
  const begin = Math.min(...epochs) * EPOCH_MS;
  const lead = begin + EPOCH_MS - EPOCH_LEAD_MS;
  const [from, until] = epochs.length > 1 ? [lead, begin + EPOCH_MS] : [begin, lead];
  return { from, until: until + LAG_MS };
}
