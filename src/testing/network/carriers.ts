import { CulvertError, onAbort } from "../../base/index.ts";
import type { NodeAddress } from "../../identity/index.ts";
import type { HostPort, TcpNetwork, UdpNetwork, UdpSocket } from "../../link/index.ts";
import type { VirtualConnection } from "./connection.ts";
import type { VirtualHost } from "./host.ts";

/** The UDP of a virtual host, as a link host wants it. */
export function virtualUdp(host: VirtualHost): UdpNetwork {
  return {
    async bind(at: HostPort): Promise<UdpSocket> {
      const port = openOr(() => host.bind(at.port === 0 ? undefined : at.port));
      return {
        address: addressOf(host, { carrier: "udp", host: at.host, port: port.port }),
        start: (events) => port.listen({ datagram: (bytes, from) => events.datagram(bytes, from) }),
        send: (bytes, to) => port.send(bytes, to),
        connect: (stream) => port.connect(stream),
        close: async () => port.close(),
      };
    },
  };
}

/** The TCP of a virtual host, as a link host wants it. */
export function virtualTcp(host: VirtualHost): TcpNetwork {
  return {
    async listen({ at, connectionsMax, onConnection }) {
      const accept = (connection: VirtualConnection): void => {
        if (port.connections > connectionsMax) connection.close(true);
        else onConnection(connection);
      };
      const port = openOr(() => host.listen(accept, at.port === 0 ? undefined : at.port));
      return {
        address: addressOf(host, { carrier: "tcp", host: at.host, port: port.port }),
        close: async () => port.stopListening(),
      };
    },
    dial(to, { signal }) {
      return new Promise((resolve, reject) => {
        const connection = host.dial(to);
        const stopWatching = onAbort(signal, (reason) => {
          connection.close(true);
          reject(reason);
        });
        connection.whenOpen((error) => {
          stopWatching();
          if (error === undefined) resolve(connection);
          else reject(new CulvertError("CULVERT_UNREACHABLE", undefined, { cause: error }));
        });
      });
    },
  };
}

function openOr<T>(open: () => T): T {
  try {
    return open();
  } catch (cause) {
    throw new CulvertError("CULVERT_UNREACHABLE", "the port cannot be bound", { cause });
  }
}

/** Where it is bound: the host's own address where any would do. */
function addressOf(host: VirtualHost, at: NodeAddress): NodeAddress {
  const isAny = at.host === "0.0.0.0" || at.host === "::";
  if (!isAny) return at;
  return { ...at, host: host.addresses[0] ?? at.host };
}
