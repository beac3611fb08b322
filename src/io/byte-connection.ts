import type { Duplex } from "node:stream";
import { type Clock, plainBytes } from "../base/index.ts";
import { systemClock } from "./clock.ts";
import { dial } from "./dial.ts";
import { type Endpoint, unmapped } from "./endpoint.ts";

/** What happens on a connection. Must not throw. */
export interface ByteConnectionEvents {
  /** Bytes came in; they are the receiver's. */
  receive(bytes: Uint8Array): void;
  /** All that was written is with the operating system. */
  drained(): void;
  /** The connection is over; nothing follows. */
  closed(error: Error | undefined): void;
}

/** Where the other end of a TCP connection is. */
export interface RemoteAddress {
  readonly carrier: "tcp";
  readonly host: string;
  readonly port: number;
}

/** Time for an end to be taken in, before the connection is cut. */
const LINGER_MS = 5_000;
const KEEP_ALIVE_MS = 60_000;

/** A socket, or a stream that stands in for one. */
export interface SocketLike extends Duplex {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  setNoDelay(noDelay?: boolean): this;
  setKeepAlive(enable?: boolean, initialDelayMs?: number): this;
}

/**
 * A TCP or UNIX socket, or a stream of a link, reduced to what a protocol needs. Writes of one tick
 * leave together.
 */
export class ByteConnection {
  readonly #socket: SocketLike;
  readonly #clock: Clock;
  #events: ByteConnectionEvents | undefined;
  #isCorked = false;
  #error: Error | undefined;

  constructor(socket: SocketLike, clock: Clock = systemClock) {
    this.#socket = socket;
    this.#clock = clock;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on("error", (error) => {
      this.#error = error;
    });
    socket.on("close", () => this.#events?.closed(this.#error));
    socket.on("drain", () => this.#events?.drained());
  }

  /** Starts to read, and tells `events` from now on. */
  start(events: ByteConnectionEvents): void {
    this.#events = events;
    this.#socket.on("data", (chunk: Uint8Array) => {
      events.receive(plainBytes(chunk));
    });
    if (this.#socket.closed) events.closed(this.#error);
  }

  /** The address at the other end; `undefined` where it is no TCP socket. */
  get remote(): RemoteAddress | undefined {
    const { remoteAddress, remotePort = 0 } = this.#socket;
    if (remoteAddress === undefined || remotePort === 0) return undefined;
    // The zone of an address of the local link is this machine's affair: nobody else can use it.
    const host = unmapped(remoteAddress).replace(/%.*$/, "");
    return { carrier: "tcp", host, port: remotePort };
  }

  /** Bytes that were written and are not with the operating system yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  /**
   * Sends bytes, which are handed over; after the end it does nothing.
   *
   * @param done called once the operating system has them, or never will
   */
  write(bytes: Uint8Array, done?: () => void): void {
    if (!this.#socket.writable) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(bytes, done);
  }

  setReading(isReading: boolean): void {
    if (isReading === !this.#socket.isPaused()) return;
    if (isReading) this.#socket.resume();
    else this.#socket.pause();
  }

  /** Ends the connection after what was written; with `isAbrupt` at once. */
  close(isAbrupt: boolean): void {
    if (isAbrupt) {
      this.#socket.destroy();
      return;
    }
    this.#socket.end();
    // Whoever does not read would keep it open for ever; whatever still comes is not looked at.
    this.#socket.resume();
    const cut = (): unknown => this.#socket.destroy();
    this.#clock.schedule(this.#clock.now() + LINGER_MS, cut, { background: true });
  }
}

/** Dials; `closed` tells when that fails. */
export function dialBytes(
  endpoint: Endpoint,
  events: ByteConnectionEvents & { readonly connected: () => void },
): ByteConnection {
  const socket = dial(endpoint);
  socket.once("connect", () => events.connected());
  const connection = new ByteConnection(socket);
  connection.start(events);
  return connection;
}
