import type { NetworkGeometry, NodeId } from "../../identity/index.ts";
import type { Link } from "../../link/index.ts";
import { packetBytes, TunnelService } from "../../onion/index.ts";
import type { Closers } from "../closers.ts";
import type { Machine } from "../machine.ts";
import type { Overlay } from "../overlay.ts";
import { onionGeometryOf } from "./onion-geometry.ts";
import { OnionOverLinks } from "./onion-over-links.ts";

/** Whose tunnels they are, and whom they lead over. */
export interface TunnelsOverLinksParts {
  readonly self: NodeId;
  readonly overlay: Overlay;
  readonly geometry: NetworkGeometry;
  readonly machine: Machine;
  readonly closers: Closers;
  /** A link to a node; `from` is the neighbour in whose name it is looked for, if it is. */
  readonly linkTo: (id: NodeId, from?: NodeId) => Promise<Link>;
  /** Whether it passes on what others send. */
  readonly isRelay: boolean;
}

/** The onions of a node, until its `closers` close them. */
export function tunnelsOverLinks(parts: TunnelsOverLinksParts): {
  readonly links: OnionOverLinks;
  readonly tunnels: TunnelService;
} {
  const { self, overlay, closers, linkTo, isRelay } = parts;
  const { clock, random } = parts.machine;
  const geometry = onionGeometryOf(parts.geometry);
  const { cellBytes } = geometry;
  const sizes = { packetBytes: packetBytes(geometry), cellBytes };
  const links = new OnionOverLinks(overlay.host, linkTo, { ...sizes, clock });
  const tunnels = new TunnelService(
    { links, clock, random, self },
    { geometry, relay: { isRelay } },
  );
  closers.add(() => {
    tunnels.close();
    links.close();
  });
  return { links, tunnels };
}
