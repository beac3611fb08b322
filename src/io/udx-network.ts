/// <reference path="../../types/udx-native.d.ts" />
import UDX from "udx-native";
import { CulvertError, plainBytes } from "../base/index.ts";
import { DirectStream } from "./direct-stream.ts";
import { type HostPort, unmapped } from "./endpoint.ts";
import { UdxBacklog } from "./udx-backlog.ts";

interface StreamEvents {
  receive(bytes: Uint8Array): void;
  missingBytes?(): number;
  drained(): void;
  datagram?(bytes: Uint8Array): void;
  closed(error: Error | undefined): void;
}

/** The kernel's buffers: the defaults of many systems drop packets at 100 MB/s. */
const KERNEL_BUFFER_BYTES = 4 * 2 ** 20;
/** Time for what was written to arrive, after an end that is not abrupt. */
const LINGER_MS = 5_000;

/**
 * UDP by udx-native: one socket for plain datagrams and any number of reliable streams. What udx
 * writes before a stream's bytes is not authenticated: whoever sees the packets can cut a stream.
 */
export const udxNetwork = {
  /** @throws CulvertError `CULVERT_UNREACHABLE` when the port cannot be bound */
  async bind(at: HostPort): Promise<UdxPort> {
    const udx = new UDX();
    const socket = udx.createSocket();
    try {
      socket.bind(at.port, at.host);
    } catch (cause) {
      const message = `cannot bind UDP port ${at.port} of ${at.host}`;
      throw new CulvertError("CULVERT_UNREACHABLE", message, { cause });
    }
    return new UdxPort(udx, socket);
  },
};

/** One UDP socket. */
class UdxPort {
  readonly address: { readonly carrier: "udp" } & HostPort;
  readonly #udx: UDX;
  readonly #socket: UDX.UdxSocket;
  readonly #streams = new Set<UdxConnection>();

  constructor(udx: UDX, socket: UDX.UdxSocket) {
    this.#udx = udx;
    this.#socket = socket;
    const bound = socket.address();
    this.address = { carrier: "udp", host: bound?.host ?? "", port: bound?.port ?? 0 };
    try {
      socket.setRecvBufferSize(KERNEL_BUFFER_BYTES);
      socket.setSendBufferSize(KERNEL_BUFFER_BYTES);
    } catch {
      // The system allows less: it works, slower.
    }
  }

  start(events: { datagram(bytes: Uint8Array, from: HostPort): void }): void {
    this.#socket.on("message", (bytes: Uint8Array, from: HostPort) => {
      // A Buffer over memory that udx does not use again.
      events.datagram(plainBytes(bytes), { host: unmapped(from.host), port: from.port });
    });
  }

  send(bytes: Uint8Array, to: HostPort): void {
    // Copied: udx reads it after the call has returned.
    this.#socket.trySend(bytes.slice(), to.port, to.host);
  }

  connect(options: {
    readonly localId: number;
    readonly remoteId: number;
    readonly to: HostPort;
  }): UdxConnection {
    const stream = new DirectStream(this.#udx, options.localId);
    stream.connect(this.#socket, options.remoteId, options.to.port, options.to.host);
    const connection = new UdxConnection(stream, options.to);
    this.#streams.add(connection);
    stream.once("close", () => this.#streams.delete(connection));
    return connection;
  }

  async close(): Promise<void> {
    for (const stream of this.#streams) stream.close(true);
    await this.#socket.close();
  }
}

/** One udx stream, reduced to what a protocol needs. */
class UdxConnection {
  readonly remote: { readonly carrier: "udp" } & HostPort;
  readonly #stream: DirectStream;
  readonly #backlog: UdxBacklog;
  #events: StreamEvents | undefined;
  #error: Error | undefined;
  #isClosed = false;
  #isEnding = false;

  constructor(stream: DirectStream, to: HostPort) {
    this.#stream = stream;
    this.#backlog = new UdxBacklog(stream, () => this.#events?.drained());
    this.remote = { carrier: "udp", host: to.host, port: to.port };
    stream.on("error", (error: Error) => {
      this.#error = error;
    });
    stream.on("drain", () => this.#events?.drained());
    stream.on("end", () => stream.destroy());
    stream.on("close", () => {
      this.#isClosed = true;
      this.#backlog.stop();
      this.#events?.closed(this.#error);
    });
  }

  start(events: StreamEvents): void {
    this.#events = events;
    this.#stream.start(
      (bytes) => events.receive(bytes),
      () => events.missingBytes?.() ?? 1,
    );
    this.#stream.on("message", (bytes: Uint8Array) => events.datagram?.(plainBytes(bytes)));
    if (this.#isClosed) events.closed(this.#error);
  }

  get unsentBytes(): number {
    return this.#backlog.unsentBytes;
  }

  get unsentBytesMax(): number {
    return this.#backlog.unsentBytesMax;
  }

  get progress(): {
    readonly roundTripMs: number;
    readonly inFlightBytes: number;
    readonly repeatedShare: number;
  } {
    const { rtt, inflight } = this.#stream;
    return {
      roundTripMs: rtt,
      inFlightBytes: inflight,
      repeatedShare: this.#backlog.repeatedShare,
    };
  }

  write(bytes: Uint8Array, done?: () => void): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#stream.write(bytes);
    this.#backlog.written(bytes.length, done);
  }

  sendDatagram(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#stream.trySend(bytes);
  }

  setReading(isReading: boolean): void {
    this.#stream.setReading(isReading);
  }

  close(isAbrupt: boolean): void {
    if (this.#isClosed) return;
    if (isAbrupt) {
      this.#stream.destroy();
      return;
    }
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#stream.end();
    this.#stream.setReading(true);
    setTimeout(() => this.#stream.destroy(), LINGER_MS).unref();
  }
}
