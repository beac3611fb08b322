import type { Socket } from "node:net";
import { type Cancel, CulvertError, onAbort, throwIfAborted } from "../base/index.ts";
import { ByteConnection } from "./byte-connection.ts";
import { dial } from "./dial.ts";
import type { Endpoint } from "./endpoint.ts";

/**
 * Dials, and resolves when the connection is there; it is not started yet.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE`; Error with the name `AbortError`
 */
export async function connectBytes(
  endpoint: Endpoint,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ByteConnection> {
  return new ByteConnection(await connectSocket(endpoint, options.signal));
}

/** Dials, and resolves to the bare socket. */
export async function connectSocket(endpoint: Endpoint, signal?: AbortSignal): Promise<Socket> {
  throwIfAborted(signal);
  const socket = dial(endpoint);
  await settled(socket, { event: "connect", failure: "nobody answers at this address", signal });
  return socket;
}

/**
 * Resolves when `socket` emits the event. When it fails or is aborted before, it is destroyed.
 *
 * @throws CulvertError `CULVERT_UNREACHABLE`; Error with the name `AbortError`
 */
export function settled(
  socket: Socket,
  wanted: {
    readonly event: string;
    /** What an end before that means. */
    readonly failure: string;
    readonly signal: AbortSignal | undefined;
  },
): Promise<void> {
  const { event, failure, signal } = wanted;
  return new Promise((resolve, reject) => {
    let forget: Cancel = () => {};
    const settle = (error?: Error): void => {
      forget();
      socket.off(event, onEvent);
      socket.off("close", onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    let cause: Error | undefined;
    const onEvent = (): void => settle();
    const onClose = (): void => settle(new CulvertError("CULVERT_UNREACHABLE", failure, { cause }));
    socket.on(event, onEvent);
    socket.on("close", onClose);
    // Stays: an error without a listener would end the process.
    socket.on("error", (error) => {
      cause = error;
    });
    forget = onAbort(signal, (error) => {
      settle(error);
      socket.destroy();
    });
  });
}
