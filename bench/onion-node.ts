/**
 * One node of `bench/onion-goodput.ts`, in a process of its own: relays circuits, and counts what
 * ends here. As a sink it takes cells as they come, without a look, and tells how far it is.
 */
import { assert } from "../src/base/index.ts";
import { loadProvider, type ProviderName, useProvider } from "../src/crypto/index.ts";
import { type NodeAddress, type NodeId, NodeIdentity, nodeIdText } from "../src/identity/index.ts";
import { systemClock } from "../src/io/clock.ts";
import { systemRandom } from "../src/io/random.ts";
import { type LinkHost, openLinkHost } from "../src/link/index.ts";
import { OnionOverLinks } from "../src/node/onion/onion-over-links.ts";
import {
  type ChannelEvents,
  type HopTarget,
  ONION_GEOMETRY,
  type OnionChannel,
  packetBytes,
  TunnelService,
} from "../src/onion/index.ts";

/** Where a node of the benchmark is, and its key of this epoch. */
export interface BenchNode {
  readonly number: number;
  readonly addresses: readonly NodeAddress[];
  readonly onionKey: Uint8Array;
}

/** What the origin asks of a node. */
export type NodeOrder =
  | { readonly do: "meet"; readonly nodes: readonly BenchNode[] }
  | { readonly do: "sink" }
  | { readonly do: "usage" };

/** What a node has used and taken so far. */
export interface NodeUsage {
  readonly cpuUs: number;
  /** Bytes of messages that ended here, or cells that fell into the sink. */
  readonly bytes: number;
}

/** Cells for which a sink gives a sign of life: as many as one proof covers. */
export const SINK_SIGN_CELLS = 32;

const { cellBytes } = ONION_GEOMETRY;

export function identityOf(number: number): NodeIdentity {
  return new NodeIdentity(new Uint8Array(32).fill(number));
}

/** Opens the links of a node, and an onion service over them. */
export async function openBenchNode(number: number, provider: ProviderName) {
  useProvider(loadProvider(provider));
  const identity = identityOf(number);
  const host = await openLinkHost({
    identity,
    network: "bench",
    udp: { host: "127.0.0.1", port: 0 },
  });
  const known = new Map<string, BenchNode>();
  const links = new OnionOverLinks(host, (id) => dial(host, id, known), {
    packetBytes: packetBytes(ONION_GEOMETRY),
    cellBytes,
  });
  const parts = { links, clock: systemClock, random: systemRandom, self: identity.id };
  const service = new TunnelService(parts, { relay: {} });
  const meet = (nodes: readonly BenchNode[]): void => {
    for (const node of nodes) known.set(nodeIdText(identityOf(node.number).id), node);
  };
  return { host, links, service, meet };
}

async function dial(host: LinkHost, id: NodeId, known: ReadonlyMap<string, BenchNode>) {
  const open = host.find(id);
  if (open?.isOpen === true) return open;
  const node = known.get(nodeIdText(id));
  assert(node !== undefined, "the nodes know each other");
  return await host.dial({ id, addresses: node.addresses });
}

/** The way through these nodes. */
export function hopsThrough(nodes: readonly BenchNode[]): HopTarget[] {
  return nodes.map(({ number, onionKey }) => ({ id: identityOf(number).id, onionKey }));
}

async function run(number: number, provider: ProviderName): Promise<void> {
  const { host, links, service, meet } = await openBenchNode(number, provider);
  let isSink = false;
  let [bytes, cells] = [0, 0];
  const sinkOf = (events: ChannelEvents, channel: OnionChannel): ChannelEvents => {
    let isBuilt = false;
    const unit = (cell: Uint8Array): void => {
      if (!isBuilt) {
        isBuilt = true;
        events.unit(cell);
        return;
      }
      cells += 1;
      bytes += cell.length;
      if (cells % SINK_SIGN_CELLS === 0) channel.send(new Uint8Array(cellBytes));
    };
    return { ...events, unit };
  };
  links.serve({
    receive: (from, unit) => service.receive(from, unit),
    accept: (from, channel) => {
      const events = service.accept(from, channel);
      return isSink ? sinkOf(events, channel) : events;
    },
  });
  service.setHandlers({
    data: (_circuit, content) => {
      bytes += content.length;
    },
  });
  process.on("disconnect", () => process.exit(0));
  process.on("message", (order: NodeOrder) => {
    if (order.do === "meet") meet(order.nodes);
    else if (order.do === "sink") isSink = true;
    const { user, system } = process.cpuUsage();
    const usage: NodeUsage = { cpuUs: user + system, bytes };
    process.send?.(usage);
  });
  const [key] = service.onionKeys();
  assert(key !== undefined, "a service has a key");
  const self: BenchNode = { number, addresses: host.addresses, onionKey: key.publicKey };
  process.send?.(self);
}

if (process.send !== undefined) {
  const [, , number = "0", provider = "node"] = process.argv;
  await run(Number(number), provider as ProviderName);
}
