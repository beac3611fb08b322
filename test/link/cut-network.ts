import type { PathConnection, TcpNetwork, UdpNetwork } from "../../src/link/index.ts";

/** Remembers the connections of a network, so that a test can cut them all at once. */
export class CutNetwork {
  readonly #connections = new Set<PathConnection>();

  cut(): void {
    for (const connection of this.#connections) connection.close(true);
    this.#connections.clear();
  }

  udp(network: UdpNetwork): UdpNetwork {
    return {
      bind: async (at) => {
        const socket = await network.bind(at);
        return {
          address: socket.address,
          start: (events) => socket.start(events),
          send: (bytes, to) => socket.send(bytes, to),
          connect: (stream) => this.#noted(socket.connect(stream)),
          close: () => socket.close(),
        };
      },
    };
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
