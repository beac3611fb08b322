import { SeededRandom } from "../../../src/base/index.ts";
import {
  Directory,
  type NodeAddress,
  NodeDescriptor,
  NodeIdentity,
} from "../../../src/identity/index.ts";
import {
  type LinkHost,
  type LinkLimits,
  openLinkHost,
  Reach,
  type RelayLimits,
} from "../../../src/link/index.ts";
import {
  type LineProfile,
  type NatBehaviour,
  type NatKind,
  VirtualClock,
  type VirtualHost,
  type VirtualNat,
  VirtualNetwork,
  virtualTcp,
  virtualUdp,
} from "../../../src/testing/index.ts";

const PORT = 7_000;
const GEOMETRY = { cellBytes: 1_900, onionBytes: 4_096, onionHopsMax: 5 };

/** What a node of the world is. */
export interface NodeInit {
  readonly addresses: readonly string[];
  readonly behind?: VirtualNat;
  readonly hasUdp?: boolean;
  readonly relay?: Partial<RelayLimits>;
  readonly line?: Partial<LineProfile>;
  readonly limits?: Partial<LinkLimits>;
}

/** A whole node: links over the carriers of its virtual host, and its reach. */
export class ReachNode {
  readonly identity: NodeIdentity;
  readonly vhost: VirtualHost;
  readonly host: LinkHost;
  readonly reach: Reach;
  readonly publicAddresses: readonly NodeAddress[];

  constructor(init: {
    identity: NodeIdentity;
    vhost: VirtualHost;
    host: LinkHost;
    reach: Reach;
    publicAddresses: readonly NodeAddress[];
  }) {
    this.identity = init.identity;
    this.vhost = init.vhost;
    this.host = init.host;
    this.reach = init.reach;
    this.publicAddresses = init.publicAddresses;
  }

  get id(): Uint8Array {
    return this.identity.id;
  }

  /** Where it can be dialled, and through whom. */
  get target() {
    const relays = this.reach.vouchers.map(({ relay }) => relay);
    return { id: this.id, addresses: this.publicAddresses, relays };
  }
}

/** Nodes with links and reaches on a virtual network, and a directory that knows them. */
export class ReachWorld {
  readonly clock = new VirtualClock();
  readonly network: VirtualNetwork;
  readonly directory: Directory;
  readonly nodes: ReachNode[] = [];
  readonly #seed: number;
  #nats = 0;

  constructor(options: { seed: number; line?: Partial<LineProfile> }) {
    this.#seed = options.seed;
    this.network = new VirtualNetwork({
      clock: this.clock,
      seed: options.seed,
      line: { delayMs: 15, ...options.line },
    });
    this.directory = new Directory({ unixMs: () => this.clock.unixMs() });
  }

  nat(kind: NatKind, behaviour: Partial<NatBehaviour> = {}): VirtualNat {
    this.#nats += 1;
    return this.network.addNat({ outer: `203.0.113.${this.#nats}`, kind, behaviour });
  }

  /** A node; in the open it is in the directory, with its addresses. */
  async add(init: NodeInit): Promise<ReachNode> {
    const random = new SeededRandom(this.#seed * 1_000 + this.nodes.length);
    const identity = new NodeIdentity(random.bytes(32));
    const vhost = this.network.addHost(init);
    const components = { clock: this.clock, random };
    const any = { host: "0.0.0.0", port: PORT };
    const host = await openLinkHost({
      identity,
      network: "test",
      ...(init.hasUdp === false ? {} : { udp: any }),
      tcp: any,
      ...(init.limits === undefined ? {} : { limits: init.limits }),
      components: { ...components, udp: virtualUdp(vhost), tcp: virtualTcp(vhost) },
    });
    const reach = new Reach({
      host,
      identity,
      lookup: this.directory,
      localHosts: () => vhost.addresses,
      components,
      ...(init.relay === undefined ? {} : { relay: init.relay }),
    });
    const publicAddresses = init.behind === undefined ? host.addresses : [];
    const node = new ReachNode({ identity, vhost, host, reach, publicAddresses });
    this.nodes.push(node);
    this.directory.add(
      NodeDescriptor.sign(identity, {
        sequence: 1,
        expiresAtUnixS: Math.floor(this.clock.unixMs() / 1_000) + 86_400,
        roles: init.relay === undefined ? [] : ["link-relay"],
        geometry: GEOMETRY,
        addresses: publicAddresses,
        relays: [],
        onionKeys: [],
      }),
    );
    return node;
  }

  /** Has a node keep a place at a relay, and waits until it has one. */
  async reserve(node: ReachNode, relay: ReachNode): Promise<void> {
    node.reach.keepPlace({ id: relay.id, addresses: relay.publicAddresses });
    await this.clock.runUntil(() => node.reach.vouchers.length > 0, 30_000);
  }

  async close(): Promise<void> {
    for (const node of this.nodes) node.reach.close();
    await Promise.all(this.nodes.map((node) => node.host.close()));
  }
}
