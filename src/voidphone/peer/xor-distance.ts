import { toHex } from "../../base/index.ts";

/** Kademlia's distance of two ids, as texts that compare as the distances do. */
export function xorDistance(id: Uint8Array, target: Uint8Array): string {
  return toHex(id.map((byte, at) => byte ^ (target[at] ?? 0)));
}

/** In the order of the XOR distance of their ids to `target`, closest first. */
export function sortedByDistance<T extends { readonly id: Uint8Array }>(
  items: readonly T[],
  target: Uint8Array,
): T[] {
  const keyed = items.map((item) => ({ item, distance: xorDistance(item.id, target) }));
  keyed.sort((a, b) => (a.distance < b.distance ? -1 : Number(a.distance > b.distance)));
  return keyed.map(({ item }) => item);
}
