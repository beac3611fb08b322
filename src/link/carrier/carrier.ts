import type { NodeAddress } from "../../identity/index.ts";
import type { PathProgress } from "./delay-window.ts";

/** An IP address (in its shortest text form) and a port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** What happens on a {@link PathConnection}. None of these may throw. */
export interface PathEvents {
  /** Bytes came in, in order; they are the receiver's. */
  receive(bytes: Uint8Array): void;
  /**
   * Bytes without which nothing can be done, at least one: a connection that has had some of late
   * may keep fewer for the moment.
   */
  missingBytes?(): number;
  /** What was written is on its way: more may be written. */
  drained(): void;
  /** A datagram came beside the bytes; it is the receiver's. Lost, repeated and forged at will. */
  datagram?(bytes: Uint8Array): void;
  /** The connection is over; nothing follows. */
  closed(error: Error | undefined): void;
}

/**
 * An ordered, reliable byte connection between two machines, as TCP, a udx stream, a stream through
 * a relay or the simulator gives it. A link runs over any of them, and trusts none: whoever
 * stands in between can read, change and cut it, and a link notices.
 */
export interface PathConnection {
  /** Starts to read, and tells `events` from now on. Called once. */
  start(events: PathEvents): void;
  /**
   * Sends bytes, which are handed over; after the end it does nothing. A connection that knows when
   * it has no use for them any more calls `done` then: their memory may be used again.
   */
  write(bytes: Uint8Array, done?: () => void): void;
  /** Bytes that were written and are not on their way yet. */
  readonly unsentBytes: number;
  /** What should be unsent at most, lest what is urgent waits behind it; absent where unknown. */
  readonly unsentBytesMax?: number | undefined;
  /**
   * How far what was sent has come; absent where the connection cannot know. One that knows also
   * calls `drained` now and then while more than some packets are on their way.
   */
  readonly progress?: PathProgress | undefined;
  /** Lets the sender wait while nobody reads. */
  setReading(isReading: boolean): void;
  /** Ends the connection after what was written; with `isAbrupt` at once. Idempotent. */
  close(isAbrupt: boolean): void;
  /** The address at the other end as it is seen here; absent where there is none. */
  readonly remote?: NodeAddress | undefined;
  /** Sends one datagram beside the bytes, borrowed; absent where only bytes can be carried. */
  readonly sendDatagram?: ((bytes: Uint8Array) => void) | undefined;
}

/** What a UDP socket tells its owner. Must not throw. */
export interface UdpSocketEvents {
  /** A plain datagram came, from an address that anybody can forge; the bytes are handed over. */
  datagram(bytes: Uint8Array, from: HostPort): void;
}

/**
 * One UDP socket for everything: plain datagrams to any address, and reliable streams between two
 * sockets that know each other's stream ids. udx-native in production, the simulator in tests.
 */
export interface UdpSocket {
  /** Where it is bound, with the real port. */
  readonly address: NodeAddress;
  /** Tells `events` from now on. Called once. */
  start(events: UdpSocketEvents): void;
  /** Sends one plain datagram, borrowed; its first byte must not be 255, which marks streams. */
  send(bytes: Uint8Array, to: HostPort): void;
  /**
   * One end of a reliable stream: it hears what is sent to `localId`, which is not in use on this
   * socket, and sends to `remoteId` at `to`. Nothing is negotiated: both ends have to do the same.
   */
  connect(stream: UdpStreamIds & { readonly to: HostPort }): PathConnection;
  /** Cuts every stream, and frees the port. */
  close(): Promise<void>;
}

/** The numbers, 32 bits each, by which two sockets know the ends of one stream. */
export interface UdpStreamIds {
  readonly localId: number;
  readonly remoteId: number;
}

/** Binds UDP sockets. */
export interface UdpNetwork {
  /** @throws CulvertError `CULVERT_UNREACHABLE` when the port cannot be bound */
  bind(at: HostPort): Promise<UdpSocket>;
}

/** A port that takes connections. */
export interface TcpListener {
  /** Where it listens, with the real port. */
  readonly address: NodeAddress;
  /** Takes no more connections; those that there are stay. */
  close(): Promise<void>;
}

/** TCP as a node uses it. */
export interface TcpNetwork {
  /** @throws CulvertError `CULVERT_UNREACHABLE` when the port cannot be bound */
  listen(options: {
    readonly at: HostPort;
    /** Connections at once; more are dropped before anybody looks at them. */
    readonly connectionsMax: number;
    readonly onConnection: (connection: PathConnection) => void;
  }): Promise<TcpListener>;
  /**
   * Resolves once connected.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE` when nobody answers there; an `AbortError`
   */
  dial(to: HostPort, options: { readonly signal: AbortSignal }): Promise<PathConnection>;
}
