import type { NodeDescriptor, NodeId } from "../identity/index.ts";

/** How a peer is reached: EGTP's comm strategy. */
export type Way =
  /** At the addresses of its descriptor. */
  | { readonly kind: "direct"; readonly descriptor: NodeDescriptor }
  /** Through a relay at which it holds a reservation. */
  | { readonly kind: "relay"; readonly descriptor: NodeDescriptor; readonly relay: NodeId };

/** The ways that a descriptor offers, best first: direct, then its relays in their order. */
export function waysOf(descriptor: NodeDescriptor): Way[] {
  const { addresses, relays } = descriptor.claims;
  const direct: Way[] = addresses.length > 0 ? [{ kind: "direct", descriptor }] : [];
  return [...direct, ...relays.map((relay): Way => ({ kind: "relay", descriptor, relay }))];
}
