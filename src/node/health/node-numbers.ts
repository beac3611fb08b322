import { CulvertError } from "../../base/index.ts";
import { parseEndpoint } from "../../io/endpoint.ts";
import type { MapService } from "../../mapservice/index.ts";
import type { TunnelService } from "../../onion/index.ts";
import type { Closers } from "../closers.ts";
import type { Overlay } from "../overlay.ts";
import type { HandOver } from "../storage/hand-over.ts";
import type { VoidphoneServers } from "../voidphone/voidphone-servers.ts";
import type { ClockWatch } from "./clock-watch.ts";
import { NodeMetrics } from "./node-metrics.ts";

/** The parts of a node that have something to count. */
interface NodeParts {
  readonly map: MapService;
  readonly overlay: Overlay;
  readonly tunnels: TunnelService;
  readonly handOver: HandOver;
  readonly voidphone: VoidphoneServers;
  readonly sessions: { readonly statistics: Readonly<Record<string, number>> };
  readonly clockWatch: Pick<ClockWatch, "isOff">;
}

/** The numbers of every part of a node. */
export function nodeMetrics(parts: NodeParts): NodeMetrics {
  const { map, overlay, tunnels, handOver, voidphone, sessions, clockWatch } = parts;
  const metrics = new NodeMetrics();
  metrics.add({
    prefix: "culvert_store",
    about: "the records of this node",
    read: () => {
      const { entries, bytes } = map.statistics().store;
      return { entries, bytes };
    },
    gauges: ["entries", "bytes"],
  });
  metrics.add({
    prefix: "culvert_map",
    about: "the Map service",
    read: () => {
      const { store: _, ...counts } = map.statistics();
      return { ...counts };
    },
    gauges: ["links", "waiting"],
  });
  metrics.add({
    prefix: "culvert_map_sessions",
    about: "sessions that ended",
    read: () => sessions.statistics,
  });
  metrics.add({
    prefix: "culvert_hand_over",
    about: "records that belong to closer nodes too",
    read: () => handOver.counts,
    gauges: ["watched"],
  });
  metrics.add({
    prefix: "culvert_node",
    about: "this node",
    read: () => ({
      links: overlay.host.links().length,
      peers: overlay.dht.contacts.length,
      circuits: tunnels.circuits,
      foreignPeers: voidphone.foreignPeers,
      clockOff: clockWatch.isOff ? 1 : 0,
    }),
    gauges: ["links", "peers", "circuits", "foreignPeers", "clockOff"],
  });
  const { relay } = overlay.reach;
  if (relay !== undefined) {
    metrics.add({
      prefix: "culvert_relay",
      about: "links that this node relays",
      read: () => ({ ...relay.statistics }),
      gauges: ["reservations", "circuits"],
    });
  }
  metrics.add({
    prefix: "culvert_refused",
    about: "work that was refused, to hold off floods",
    read: () => refusedWork(parts),
  });
  return metrics;
}

/** What was turned away because there was too much of it: nothing of it was done. */
function refusedWork({ map, overlay, tunnels, sessions }: NodeParts): Record<string, number> {
  const { putsBusy, putsWithoutWork, getsBusy } = map.statistics();
  const { refused = 0 } = sessions.statistics;
  const { circuits, packets } = tunnels.counts();
  const of = (counts: ReadonlyMap<string, number>, ...names: string[]): number =>
    names.reduce((sum, name) => sum + (counts.get(name) ?? 0), 0);
  return {
    puts: putsBusy + putsWithoutWork,
    gets: getsBusy,
    sessions: refused,
    requests: overlay.rpc.statistics.refused,
    circuits: of(circuits, "refused-circuit", "refused-build"),
    packets: of(packets, "overload", "refused-packet", "tags-full"),
  };
}

/**
 * Shows the metrics where the configuration says, until the node closes.
 *
 * @returns the port; `undefined` when they are not to be shown
 * @throws CulvertError `CULVERT_USAGE`, `CULVERT_UNREACHABLE`
 */
export async function showMetrics(
  endpoint: string | undefined,
  metrics: NodeMetrics,
  closers: Closers,
): Promise<number | undefined> {
  if (endpoint === undefined) return undefined;
  const where = parseEndpoint(endpoint);
  if (where?.kind !== "tcp") {
    throw new CulvertError("CULVERT_USAGE", `"${endpoint}" is no HOST:PORT for metrics`);
  }
  const shown = await metrics.serve(where);
  closers.add(() => shown.close());
  return shown.port;
}
