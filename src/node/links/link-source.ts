import type { DhtNodeOptions } from "../../dht/index.ts";
import { addressScope, type NodeId, nodeIdText, publicPrefix } from "../../identity/index.ts";
import type { Link, LinkHost, LinkPath } from "../../link/index.ts";

/** Whom a peer counts for, by quotas of the Map and of the DHT. */
export interface LinkSource {
  readonly source: string;
  /** Whether the peer has been heard at an address of its own, which the source stands for. */
  readonly isAddressProven: boolean;
}

/** Those of paths, which are asked for with every request. */
const SOURCES = new WeakMap<LinkPath, string>();

/**
 * The unit of fairness of a link: not who is at its other end, since ids cost nothing, but where
 * that is. A public address counts for its network, whoever comes through a relay for that of the
 * relay: relays cost nothing either, and who is dialled names those that lead to it. In a private
 * network, and on one machine, each node counts for itself.
 *
 * A link without a path counts as over its last one. Else whoever cuts the paths of many would have
 * as many shares, for what they have sent and is only looked at now.
 */
export function sourceOf({ peer, lastPath: path }: Pick<Link, "peer" | "lastPath">): LinkSource {
  const isAddressProven = path?.remote !== undefined && !path.isRelayed;
  return { source: path ? knownSource(peer, path) : nodeIdText(peer), isAddressProven };
}

function knownSource(peer: NodeId, path: LinkPath): string {
  const known = SOURCES.get(path);
  if (known !== undefined) return known;
  const source = placeOf(peer, path);
  SOURCES.set(path, source);
  return source;
}

function placeOf(peer: NodeId, { isRelayed, remote, via, viaRemote }: LinkPath): string {
  if (remote !== undefined && !isRelayed) return publicPrefix(remote.host) ?? nodeIdText(peer);
  if (via === undefined) return nodeIdText(peer);
  return `relay:${(viaRemote && publicPrefix(viaRemote.host)) ?? nodeIdText(via)}`;
}

/** Where nodes are heard, by the links to them. */
export function whereHeard(
  host: Pick<LinkHost, "find">,
): Required<Pick<DhtNodeOptions, "hostOf" | "isRelayed">> {
  return {
    // A private address is that of a router.
    hostOf: (id) => {
      const { isRelayed, remote } = host.find(id)?.path ?? {};
      if (isRelayed !== false || remote === undefined) return undefined;
      return addressScope(remote.host) === "public" ? remote.host : undefined;
    },
    // Or it was relayed until just now: a path that is gone says nothing.
    isRelayed: (id) => {
      const link = host.find(id);
      return link !== undefined && link.path?.isRelayed !== false;
    },
  };
}
