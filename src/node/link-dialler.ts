import { CulvertError } from "../base/index.ts";
import type { Lookup, NodeDescriptor, NodeId } from "../identity/index.ts";
import type { Link, LinkHost } from "../link/index.ts";
import type { LinkDialler, Way } from "../rpc/index.ts";

/** Makes a link through a relay at which the node of the descriptor holds a reservation. */
export type DialRelay = (relay: NodeId, descriptor: NodeDescriptor) => Promise<Link>;

/** Links as requests want them: who is looked up with `lookup` is dialled on `host`. */
export function linkDialler(
  host: LinkHost,
  lookup: Lookup,
  dialRelay: DialRelay = refuseRelay,
): LinkDialler {
  return {
    lookup: (peer) => lookup.lookup(peer),
    async dial(way: Way): Promise<Link> {
      const { descriptor } = way;
      if (way.kind === "relay") return await dialRelay(way.relay, descriptor);
      const { id, publicKey, claims } = descriptor;
      return await host.dial({ id, publicKey, addresses: claims.addresses });
    },
    onLink(listener) {
      for (const link of host.links()) listener(link);
      return host.onLink(listener);
    },
  };
}

const refuseRelay: DialRelay = async () => {
  throw new CulvertError("CULVERT_UNREACHABLE", "no relays are used here");
};
