import {
  type Clock,
  type Random,
  requireMachine,
  requireMethods,
  requireObject,
  requireText,
} from "../../base/index.ts";
import type { NodeIdentity } from "../../identity/index.ts";
import { systemClock } from "../../io/clock.ts";
import { loadUdx, requireNoise } from "../../io/machine-code.ts";
import { systemRandom } from "../../io/random.ts";
import { tcpNetwork } from "../../io/tcp-network.ts";
import type { HostPort, TcpNetwork, UdpNetwork } from "../carrier/carrier.ts";
import { dhKeysOf } from "../channel/noise.ts";
import type { LinkHost } from "../contract.ts";
import { requireEndpoint } from "../given.ts";
import { type LinkLimits, resolveLinkLimits } from "../limits.ts";
import { CoreLinkHost } from "./core-link-host.ts";

/** What a host is opened with. */
export interface LinkHostOptions {
  readonly identity: NodeIdentity;
  /** Nodes of another network are not understood; up to 64 characters. */
  readonly network: string;
  /** Where to bind the UDP socket, port 0 for any; without it there is no UDP. */
  readonly udp?: HostPort;
  /** Where to listen for TCP, port 0 for any; without it TCP can only be dialled. */
  readonly tcp?: HostPort;
  readonly limits?: Partial<LinkLimits>;
  /** The machine's own, unless told otherwise. */
  readonly components?: {
    readonly clock?: Clock;
    readonly random?: Random;
    readonly udp?: UdpNetwork;
    readonly tcp?: TcpNetwork;
  };
}

/**
 * Opens the links of a node.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE` when a port cannot be bound, `CULVERT_UNSUPPORTED`
 *   where `sodium-native` is not, and for UDP where `udx-native` is not
 * @throws TypeError, RangeError for options that are none
 */
export async function openLinkHost(options: LinkHostOptions): Promise<LinkHost> {
  requireOptions(options);
  const { identity, network, components = {} } = options;
  if (network.length > 64) throw new RangeError("a network's name has up to 64 characters");
  requireNoise(); // no handshake will be without it
  const seed = identity.exposeSeed();
  const keys = dhKeysOf(seed);
  seed.fill(0);
  const tcp = components.tcp ?? tcpNetwork;
  const host = new CoreLinkHost({
    id: identity.id,
    tcp,
    context: {
      identity: { publicKey: identity.publicKey, keys },
      network,
      limits: resolveLinkLimits(options.limits),
      clock: components.clock ?? systemClock,
      random: components.random ?? systemRandom,
    },
  });
  try {
    if (options.udp !== undefined) {
      host.useUdp(await (components.udp ?? (await loadUdx())).bind(options.udp));
    }
    if (options.tcp !== undefined) await host.listenTcp(options.tcp);
  } catch (error) {
    await host.close();
    throw error;
  }
  return host;
}

function requireOptions(options: LinkHostOptions): void {
  requireObject("options", options);
  const { identity, network, udp, tcp, components = {} } = options;
  requireMethods("identity", identity, "sign", "exposeSeed");
  requireText("network", network);
  if (udp !== undefined) requireEndpoint("udp", udp);
  if (tcp !== undefined) requireEndpoint("tcp", tcp);
  requireObject("components", components);
  requireMachine(components);
  if (components.udp !== undefined) requireMethods("components.udp", components.udp, "bind");
  if (components.tcp !== undefined) {
    requireMethods("components.tcp", components.tcp, "listen", "dial");
  }
}
