import type { ByteConnection } from "./byte-connection.ts";
import { ByteServer } from "./byte-server.ts";
import { connectBytes } from "./connect-socket.ts";
import type { HostPort } from "./endpoint.ts";

/** TCP by node:net. */
export const tcpNetwork = {
  /** @throws CulvertError `CULVERT_UNREACHABLE` when the port cannot be bound */
  async listen(options: {
    readonly at: HostPort;
    readonly connectionsMax: number;
    readonly onConnection: (connection: ByteConnection) => void;
  }): Promise<{
    readonly address: { readonly carrier: "tcp" } & HostPort;
    close(): Promise<void>;
  }> {
    const { at, connectionsMax, onConnection } = options;
    const server = await ByteServer.listen({
      endpoint: { kind: "tcp", ...at },
      connectionsMax,
      onConnection: (connection) => onConnection(connection),
    });
    const port = server.endpoint.kind === "tcp" ? server.endpoint.port : at.port;
    return {
      address: { carrier: "tcp", host: at.host, port },
      async close() {
        // Whoever closes a link ends its connection; nobody has to wait for that here.
        server.close().catch(() => {});
      },
    };
  },

  /** @throws CulvertError `CULVERT_UNREACHABLE` when nobody answers there; an `AbortError` */
  dial(to: HostPort, options: { readonly signal: AbortSignal }): Promise<ByteConnection> {
    return connectBytes({ kind: "tcp", ...to }, options);
  },
};
