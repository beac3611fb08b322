import {
  CulvertError,
  type Log,
  requireCallback,
  requireMethods,
  requireObject,
  SILENT,
  shown,
} from "../base/index.ts";
import { formatIp, parseIp } from "../identity/index.ts";
import type { CertificateIdentity } from "../io/certificate.ts";
import { parseEndpoint } from "../io/endpoint.ts";
import { apiGateway } from "./api/api-gateway.ts";
import type { VoidphoneDht, VoidphonePeer } from "./dht.ts";
import type { SessionLimits } from "./limits.ts";
import { requireKey } from "./message.ts";
import { onionGateway } from "./onion/onion-gateway.ts";
import { FINAL, MIDTERM } from "./peer/dialects.ts";
import { peerGateway } from "./peer/peer-gateway.ts";
import type { PeerDialect, VoidphoneContact } from "./peer/peer-messages.ts";
import { rpsGateway } from "./rps/rps-gateway.ts";
import { peerCertificate, VoidphoneServer } from "./server.ts";
import type { Gateway } from "./session.ts";
import type { VoidphonePeerSampling, VoidphoneTunnels } from "./tunnels.ts";

/** The protocols that a node may serve, each on a port of its own. */
export type GatewayName = "api" | "onion" | "rps" | PeerDialect["name"];

/** Where each is served, as `HOST:PORT` or `[IPV6]:PORT`; what is left out is not served. */
export type GatewayEndpoints = Readonly<Partial<Record<GatewayName, string | undefined>>>;

/** The node behind the gateways; what is left out cannot be served. */
export interface GatewayNode {
  /** 32 bytes: the node's place in the DHT. */
  readonly id: Uint8Array;
  readonly dht?: VoidphoneDht;
  readonly peer?: Omit<VoidphonePeer, "self">;
  readonly tunnels?: VoidphoneTunnels;
  readonly sampling?: VoidphonePeerSampling;
}

/** How gateways are started. */
export interface GatewayOptions {
  /**
   * The IP address at which foreign peers reach this node; that of the endpoint if nothing else is
   * given.
   */
  readonly announceHost?: string | undefined;
  /** Introduces this node to peers of the dialect `final`; with a fresh one, if it is left out. */
  readonly certificate?: (self: {
    readonly id: Uint8Array;
    readonly host: string;
  }) => Promise<CertificateIdentity>;
  readonly limits?: Partial<SessionLimits>;
  readonly log?: Log;
}

/** All of VoidPhone's servers of one node. */
export class VoidphoneGateways {
  readonly #node: GatewayNode;
  readonly #options: GatewayOptions;
  readonly #servers = new Map<GatewayName, VoidphoneServer>();
  readonly #contacts = new Map<PeerDialect["name"], VoidphoneContact>();
  #closeTunnels: () => void = () => {};

  private constructor(node: GatewayNode, options: GatewayOptions) {
    this.#node = node;
    this.#options = options;
  }

  /**
   * Listens wherever an endpoint is given.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when it cannot listen, `CULVERT_USAGE` for an
   *   endpoint that is none, that others cannot reach, or that the node has nothing for
   * @throws TypeError and RangeError for what is no node, or an id that is none
   */
  static async start(
    endpoints: GatewayEndpoints,
    node: GatewayNode,
    options: GatewayOptions = {},
  ): Promise<VoidphoneGateways> {
    requireObject("endpoints", endpoints);
    requireObject("node", node);
    requireObject("options", options);
    requireCallback("log", options.log);
    requireCallback("certificate", options.certificate);
    const gateways = new VoidphoneGateways(node, options);
    try {
      await gateways.#serve("api", endpoints.api, node.dht, apiGateway);
      await gateways.#servePeers(MIDTERM, endpoints.midterm);
      await gateways.#servePeers(FINAL, endpoints.final);
      await gateways.#serve("onion", endpoints.onion, node.tunnels, (tunnels, limits) => {
        const gateway = onionGateway(tunnels, { limits });
        gateways.#closeTunnels = gateway.close;
        return gateway;
      });
      await gateways.#serve("rps", endpoints.rps, node.sampling, rpsGateway);
      return gateways;
    } catch (error) {
      await gateways.close();
      throw error;
    }
  }

  /** The server of a protocol, with its real port; `undefined` when it is not served. */
  server(name: GatewayName): VoidphoneServer | undefined {
    return this.#servers.get(name);
  }

  /** How foreign peers of a dialect reach this node. */
  contact(dialect: PeerDialect["name"]): VoidphoneContact | undefined {
    return this.#contacts.get(dialect);
  }

  /** Takes down the tunnels of clients, ends all sessions and stops listening. */
  async close(): Promise<void> {
    this.#closeTunnels();
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
  }

  async #serve<Part, Request>(
    name: GatewayName,
    endpoint: string | undefined,
    part: Part | undefined,
    gatewayOf: (part: Part, limits: Partial<SessionLimits>) => Gateway<Request>,
  ): Promise<void> {
    if (endpoint === undefined) return;
    if (part === undefined) throw usage(`this node has nothing to serve as ${name}`);
    const { log = SILENT, limits = {} } = this.#options;
    const gateway = gatewayOf(part, limits);
    this.#servers.set(name, await VoidphoneServer.listen(gateway, { endpoint, log }));
  }

  async #servePeers(dialect: PeerDialect, endpoint: string | undefined): Promise<void> {
    if (endpoint === undefined) return;
    const { name } = dialect;
    const { peer, id } = this.#node;
    if (peer === undefined) throw usage(`this node has nothing to serve as ${name}`);
    requireKey(id);
    requireMethods("peer", peer, "store", "find", "closest", "learn");
    const host = this.#announcedHost(endpoint);
    const { log = SILENT, limits = {}, certificate = peerCertificate } = this.#options;
    const self = (): VoidphoneContact | undefined => this.#contacts.get(name);
    const served: VoidphonePeer = {
      self,
      store: (entry) => peer.store(entry),
      find: (key) => peer.find(key),
      closest: (target, count) => peer.closest(target, count),
      learn: (contact) => peer.learn(contact),
    };
    const server = await VoidphoneServer.listen(peerGateway(dialect, served, limits), {
      endpoint,
      log,
      ...(name === "final" ? { certificate: await certificate({ id, host }) } : {}),
    });
    this.#servers.set(name, server);
    this.#contacts.set(name, { id, host, port: server.port });
  }

  /** Others need an address that they can dial: it is in our answers and in our certificate. */
  #announcedHost(endpoint: string): string {
    const parsed = parseEndpoint(endpoint);
    const host = this.#options.announceHost ?? (parsed?.kind === "tcp" ? parsed.host : "");
    const ip = parseIp(host);
    if (ip === undefined || ip.every((byte) => byte === 0)) {
      throw usage(
        `"${shown(endpoint)}": foreign peers need an IP address at which they reach this node`,
      );
    }
    // As others will name it: who is told of us must not take us for somebody else.
    return formatIp(ip);
  }
}

function usage(message: string): CulvertError {
  return new CulvertError("CULVERT_USAGE", message);
}
