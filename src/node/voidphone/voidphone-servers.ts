import { assert, type Clock, CulvertError, type Log } from "../../base/index.ts";
import { parseEndpoint } from "../../io/endpoint.ts";
import {
  FINAL,
  type GatewayName,
  type GatewayOptions,
  MIDTERM,
  type PeerAddress,
  type PeerDialect,
  VoidphoneGateways,
  VoidphonePeerNetwork,
} from "../../voidphone/index.ts";
import type { NodeConfig } from "../node-config.ts";
import { ForeignJoins } from "./foreign-joins.ts";
import type { CircuitTunnels } from "./voidphone-tunnels.ts";
import type { VoidphoneValues } from "./voidphone-values.ts";

/** What VoidPhone's servers stand in front of. */
export interface VoidphoneServersComponents {
  /** This node's id. */
  readonly id: Uint8Array;
  readonly values: VoidphoneValues;
  readonly tunnels: CircuitTunnels;
  /** The IP address at which foreign peers reach this node, when it is not that of the endpoint. */
  readonly announceHost: string | undefined;
  /** Introduces this node to peers of the dialect `final`. */
  readonly certificate: NonNullable<GatewayOptions["certificate"]>;
  readonly clock: Clock;
  readonly log: Log;
}

/** All of VoidPhone's servers of a node, and its place in the networks that it is told of. */
export class VoidphoneServers {
  readonly #components: VoidphoneServersComponents;
  readonly #gateways: VoidphoneGateways[] = [];
  readonly #networks: VoidphonePeerNetwork[] = [];
  readonly #joins: ForeignJoins[] = [];

  private constructor(components: VoidphoneServersComponents) {
    this.#components = components;
  }

  /**
   * Listens wherever the configuration says so, then joins foreign networks in the background.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when it cannot listen, `CULVERT_USAGE` for an
   *   endpoint that is none, or that others cannot reach
   */
  static async start(
    config: NodeConfig["voidphone"],
    components: VoidphoneServersComponents,
  ): Promise<VoidphoneServers> {
    const servers = new VoidphoneServers(components);
    try {
      await servers.#serveClients(config);
      await servers.#servePeers(MIDTERM, config.midterm, config.midtermPeers);
      await servers.#servePeers(FINAL, config.final, config.finalPeers);
      return servers;
    } catch (error) {
      await servers.close();
      throw error;
    }
  }

  /** Where each server listens, with its real port. */
  get endpoints(): Readonly<Partial<Record<GatewayName, string>>> {
    const names: readonly GatewayName[] = ["api", "onion", "rps", "midterm", "final"];
    const found = names.flatMap((name) => {
      const server = this.#gateways.map((gateways) => gateways.server(name)).find(Boolean);
      return server === undefined ? [] : [[name, server.endpoint] as const];
    });
    return Object.fromEntries(found);
  }

  /** Foreign peers that are known. */
  get foreignPeers(): number {
    const anywhere = new Uint8Array(32);
    const all = (network: VoidphonePeerNetwork): number =>
      network.closest(anywhere, Number.POSITIVE_INFINITY).length;
    return this.#networks.reduce((sum, network) => sum + all(network), 0);
  }

  /** Leaves the foreign networks, ends all sessions and stops listening. */
  async close(): Promise<void> {
    for (const joins of this.#joins) joins.close();
    for (const network of this.#networks) network.close();
    await Promise.all(this.#gateways.map((gateways) => gateways.close()));
  }

  async #serveClients({ api, onion, rps }: NodeConfig["voidphone"]): Promise<void> {
    const { id, values, tunnels, log } = this.#components;
    const node = { id, dht: values, tunnels, sampling: tunnels };
    this.#gateways.push(await VoidphoneGateways.start({ api, onion, rps }, node, { log }));
  }

  /** A dialect is a network of its own: peers of one cannot be told of those of the other. */
  async #servePeers(
    dialect: PeerDialect,
    endpoint: string | undefined,
    peers: readonly string[],
  ): Promise<void> {
    const { name } = dialect;
    if (endpoint === undefined) {
      if (peers.length === 0) return;
      throw usage(`peers of the dialect ${name} are joined from a port of our own: ${name}`);
    }
    const { id, values, announceHost, certificate, clock, log } = this.#components;
    const met = peers.map(addressOf);
    let network: VoidphonePeerNetwork | undefined;
    const peer = {
      store: values.store.bind(values),
      find: values.find.bind(values),
      closest: (target: Uint8Array, count: number) => network?.closest(target, count) ?? [],
      learn: (contact: Parameters<VoidphonePeerNetwork["learn"]>[0]) => network?.learn(contact),
    };
    const how = { log, announceHost, certificate };
    const gateways = await VoidphoneGateways.start({ [name]: endpoint }, { id, peer }, how);
    this.#gateways.push(gateways);
    const self = gateways.contact(name);
    assert(self !== undefined, "what listens is reached somewhere");
    network = new VoidphonePeerNetwork({ dialect, self });
    this.#networks.push(network);
    values.add(network);
    this.#joins.push(new ForeignJoins({ network, clock, log }, met));
  }
}

function addressOf(text: string): PeerAddress {
  const endpoint = parseEndpoint(text);
  if (endpoint?.kind === "tcp" && endpoint.port > 0) return endpoint;
  throw usage(`"${text}" is no HOST:PORT of a foreign peer`);
}

function usage(message: string): CulvertError {
  return new CulvertError("CULVERT_USAGE", message);
}
