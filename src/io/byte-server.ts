import { chmod, lstat, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { CulvertError } from "../base/index.ts";
import { ByteConnection } from "./byte-connection.ts";
import { pathTooLong } from "./dial.ts";
import { type Endpoint, formatEndpoint, sourceOf } from "./endpoint.ts";
import { errorCode } from "./error-code.ts";

/** How a server listens. */
export interface ByteServerOptions {
  readonly endpoint: Endpoint;
  /** Connections beyond these are dropped by the operating system's side of the server. */
  readonly connectionsMax: number;
  /** What carries the bytes of a new connection when its socket itself does not, as with TLS. */
  readonly wrap?: ((socket: Socket) => Socket) | undefined;
  /**
   * A new connection, to be started, the source it counts for, and the IP address that it comes
   * from, if it does.
   */
  readonly onConnection: (
    connection: ByteConnection,
    source: string,
    remoteHost: string | undefined,
  ) => void;
}

/** Listens for byte connections on a TCP port or a UNIX socket. */
export class ByteServer {
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;
  /** What each connection had brought when the server was closed. */
  #readBefore: ReadonlyMap<Socket, number> = new Map();
  /** Where it listens; with the real port when the one that was asked for was 0. */
  readonly endpoint: Endpoint;

  private constructor(server: Server, endpoint: Endpoint, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    this.endpoint = endpoint;
  }

  /** @throws CulvertError `CULVERT_UNREACHABLE` when nothing can listen there */
  static async listen(options: ByteServerOptions): Promise<ByteServer> {
    const { endpoint, connectionsMax, onConnection, wrap } = options;
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      const { remoteAddress } = socket;
      const connection = new ByteConnection(wrap?.(socket) ?? socket);
      onConnection(connection, sourceOf(remoteAddress), remoteAddress);
    });
    server.maxConnections = connectionsMax;
    await listenAt(server, endpoint);
    return new ByteServer(server, withPort(endpoint, server), sockets);
  }

  /** Bytes of all connections that were written and are not with the operating system yet. */
  unsentBytes(): number {
    let bytes = 0;
    for (const socket of this.#sockets) bytes += socket.writableLength;
    return bytes;
  }

  /** Takes no more connections, and resolves when those that there are have ended. */
  close(): Promise<void> {
    this.#readBefore = new Map([...this.#sockets].map((socket) => [socket, socket.bytesRead]));
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  /** Ends, after what was written to them, the connections that brought nothing since `close`. */
  endSilent(): void {
    for (const [socket, bytes] of this.#readBefore) {
      if (socket.bytesRead === bytes) socket.destroySoon();
    }
  }

  /** Cuts every connection. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/**
 * Resolves when `server` listens; from then on no error of its own ends the process. A UNIX socket
 * is this user's alone.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE` when nothing can listen there
 */
export async function listenAt(server: Server, endpoint: Endpoint): Promise<void> {
  try {
    if (endpoint.kind === "unix") await claim(endpoint.path);
    await listening(server, endpoint);
    if (endpoint.kind === "unix") await chmod(endpoint.path, 0o600);
  } catch (cause) {
    server.close();
    const message = `cannot listen on ${formatEndpoint(endpoint)}`;
    throw new CulvertError("CULVERT_UNREACHABLE", message, { cause });
  }
}

function listening(server: Server, endpoint: Endpoint): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const listen = (): void => {
      server.off("error", reject);
      // A connection that could not be taken, for want of descriptors, ends nothing but itself.
      server.on("error", () => {});
      resolve();
    };
    if (endpoint.kind === "unix") withUmask(0o077, () => server.listen(endpoint.path, listen));
    else server.listen(endpoint.port, endpoint.host, listen);
  });
}

/**
 * Nobody else can come in between the making of a socket, which is done at once, and its mode. What
 * other threads make meanwhile keeps its owner's bits.
 */
function withUmask(mask: number, make: () => void): void {
  let umask: number | undefined;
  try {
    umask = process.umask(mask);
  } catch {
    // A worker thread cannot set it.
  }
  try {
    make();
  } finally {
    if (umask !== undefined) process.umask(umask);
  }
}

function withPort(endpoint: Endpoint, server: Server): Endpoint {
  const address = server.address();
  if (endpoint.kind === "unix" || address === null || typeof address === "string") return endpoint;
  return { ...endpoint, port: address.port };
}

/**
 * Removes the socket that a killed process left behind, unless somebody still answers on it.
 * Whatever else has that name is left alone: connecting to a file is refused, too.
 *
 * @throws Error `ENAMETOOLONG`
 */
async function claim(path: string): Promise<void> {
  const error = pathTooLong(path);
  if (error !== undefined) throw error;
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSocket() !== true) return;
  const code = await new Promise<string>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve("answered");
    });
    probe.once("error", (error) => resolve(errorCode(error) ?? ""));
  });
  if (code === "ECONNREFUSED") await unlink(path);
}
