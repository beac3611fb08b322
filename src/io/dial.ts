import { connect, Socket } from "node:net";
import type { Endpoint } from "./endpoint.ts";

/** Longest path of a UNIX socket, in bytes: what its address has room for on Linux. */
const SOCKET_PATH_BYTES_MAX = 108;

/** Dials; the socket tells when that fails. `allowHalfOpen` is as of Node's `connect`. */
export function dial(endpoint: Endpoint, options: { allowHalfOpen?: boolean } = {}): Socket {
  const { allowHalfOpen = false } = options;
  if (endpoint.kind === "tcp") {
    return connect({ host: endpoint.host, port: endpoint.port, allowHalfOpen });
  }
  const error = pathTooLong(endpoint.path);
  if (error === undefined) return connect({ path: endpoint.path, allowHalfOpen });
  const socket = new Socket();
  process.nextTick(() => socket.destroy(error)); // as Node tells what it finds at once
  return socket;
}

/** The error for a path that is too long: Node would cut it, and mean another socket. */
export function pathTooLong(path: string): Error | undefined {
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return undefined;
  const error = new Error("ENAMETOOLONG: the path of a socket is too long");
  return Object.assign(error, { code: "ENAMETOOLONG", syscall: "connect" });
}
