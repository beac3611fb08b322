import type { NodeId } from "../../identity/index.ts";
import type { Link, LinkHost } from "../../link/index.ts";
import type { LinkDialler } from "../../rpc/index.ts";

/** Links as requests want them: those of `host`, made by `to`, which is mostly `NodeLinks.to`. */
export function linkDialler(host: LinkHost, to: (peer: NodeId) => Promise<Link>): LinkDialler {
  return {
    dial: to,
    onLink(listener) {
      for (const link of host.links()) listener(link);
      return host.onLink(listener);
    },
  };
}
