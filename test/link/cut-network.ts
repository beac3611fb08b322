import { SeededRandom } from "../../src/base/index.ts";
import { NodeIdentity } from "../../src/identity/index.ts";
import {
  type LinkHost,
  type LinkLimits,
  openLinkHost,
  type PathConnection,
  type TcpNetwork,
  type UdpNetwork,
} from "../../src/link/index.ts";
import {
  type LineProfile,
  VirtualClock,
  VirtualNetwork,
  virtualTcp,
  virtualUdp,
} from "../../src/testing/index.ts";
import { tappedUdp } from "./tapped-udp.ts";

const ANY = { host: "0.0.0.0", port: 0 };

/** Remembers the connections of a network, so that a test can cut them all at once. */
export class CutNetwork {
  readonly #connections = new Set<PathConnection>();

  cut(): void {
    for (const connection of this.#connections) connection.close(true);
    this.#connections.clear();
  }

  udp(network: UdpNetwork): UdpNetwork {
    return tappedUdp(network, (connection) => this.#noted(connection));
  }

  tcp(network: TcpNetwork): TcpNetwork {
    return {
      listen: (options) =>
        network.listen({
          ...options,
          onConnection: (connection) => options.onConnection(this.#noted(connection)),
        }),
      dial: async (to, options) => this.#noted(await network.dial(to, options)),
    };
  }

  #noted(connection: PathConnection): PathConnection {
    this.#connections.add(connection);
    return connection;
  }
}

/** Two hosts on a virtual network, with both carriers; `cut` cuts all their connections at once. */
export async function cutPair(
  seed: number,
  options: {
    readonly line?: Partial<LineProfile>;
    readonly limits?: Partial<LinkLimits>;
  } = {},
): Promise<{ clock: VirtualClock; a: LinkHost; b: LinkHost; cut: () => void }> {
  const { line, limits } = options;
  const clock = new VirtualClock();
  const network = new VirtualNetwork({ clock, seed, line: { delayMs: 20, ...line } });
  const connections = new CutNetwork();
  const open = (number: number): Promise<LinkHost> => {
    const vhost = network.addHost({ addresses: [`192.0.2.${number}`] });
    return openLinkHost({
      identity: new NodeIdentity(new Uint8Array(32).fill(number)),
      network: "test",
      udp: ANY,
      tcp: ANY,
      ...(limits && { limits }),
      components: {
        clock,
        random: new SeededRandom(number),
        udp: connections.udp(virtualUdp(vhost)),
        tcp: connections.tcp(virtualTcp(vhost)),
      },
    });
  };
  return { clock, a: await open(1), b: await open(2), cut: () => connections.cut() };
}
