import type { PathConnection, UdpNetwork } from "../../src/link/index.ts";

/** A network of which each connection goes through `tap`. */
export function tappedUdp(
  network: UdpNetwork,
  tap: (connection: PathConnection) => PathConnection,
): UdpNetwork {
  return {
    bind: async (at) => {
      const socket = await network.bind(at);
      return {
        address: socket.address,
        start: (events) => socket.start(events),
        send: (bytes, to) => socket.send(bytes, to),
        connect: (stream) => tap(socket.connect(stream)),
        close: () => socket.close(),
      };
    },
  };
}
