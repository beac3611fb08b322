import type { Cancel, CulvertError } from "../base/index.ts";
import type { NodeAddress, NodeId } from "../identity/index.ts";
import type { SocketDuplex } from "../io/socket-duplex.ts";
import type { HostPort, PathConnection } from "./carrier/carrier.ts";

/**
 * Which streams of a link go first when all of them have something to send: every `urgent` byte
 * before any `normal` one, every `normal` before any `bulk`. Streams of one class take turns.
 */
export type Priority = "urgent" | "normal" | "bulk";

/** How a stream is opened. */
export interface OpenStreamOptions {
  /** `normal` unless told otherwise; holds for both directions. */
  readonly priority?: Priority;
  /** Gives up while it waits for its turn; afterwards it does nothing. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * One stream of a link: a Node Duplex that looks like a socket. `end` closes half, `destroy` resets
 * both ways. It outlives the path under it, and fails with the link.
 *
 * One that a peer opened, and that was ended here before anybody read it, is destroyed: nobody
 * wants what the peer sends. Whoever means to read it later says so with `pause`.
 */
export interface LinkStream extends SocketDuplex {
  /** What the opener asked for, for example `rpc`. */
  readonly protocol: string;
  readonly priority: Priority;
  readonly link: Link;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /**
   * Whether `end` and `destroy` do what they do to a socket: `finish` does not wait until the end
   * has left, and `destroy`, also with an error, sends what was written and an end. For Node's
   * servers of http and http2; to be set before the first write. False unless it is.
   */
  endsAsSocket: boolean;
  /**
   * Gives the stream up; the peer's end fails with `CULVERT_PEER_ABORTED` and this code in
   * `detail.code`. Codes are the protocol's own, from 0 to 65,279.
   */
  reset(code: number): void;
}

/** Takes a stream that the peer opened. What it throws resets the stream. */
export type StreamHandler = (stream: LinkStream, link: Link) => void;

/** Takes a datagram of the peer, which owns nothing and may be lost or repeated by the sender. */
export type DatagramListener = (bytes: Uint8Array, link: Link) => void;

/** The way that a link's bytes take now. */
export interface LinkPath {
  /** `attached` is a connection that was handed to the host, such as a stream through a relay. */
  readonly carrier: "udp" | "tcp" | "attached";
  readonly isRelayed: boolean;
  /** The relay that it leads through, where that is known. */
  readonly via?: NodeId | undefined;
  /** Where that relay is, as seen here when the path began; absent without a direct link to it. */
  readonly viaRemote?: NodeAddress | undefined;
  /** Where the peer is, as seen here; absent on attached connections without an address. */
  readonly remote: NodeAddress | undefined;
  /** Where the peer says that we are, as seen there. A peer may lie: ask several. */
  readonly observed: NodeAddress | undefined;
}

/** How a link is closed. */
export interface CloseOptions {
  /**
   * Lets open streams end first, for up to `drainMs`, while no new ones are opened; otherwise
   * everything ends at once.
   */
  readonly graceful?: boolean;
}

/**
 * An authenticated, encrypted connection to one node, with many independent streams on it.
 *
 * A link outlives its paths: when the connection under it is cut, or a better one is found, it goes
 * on over the next one without losing or repeating a byte of any stream. It ends when it is closed,
 * when the peer breaks the protocol, or when no path could be had for `resumeMs`.
 */
export interface Link {
  /** Who is at the other end: proved by the handshake. */
  readonly peer: NodeId;
  /** The peer's ed25519 public key, 32 bytes; not to be written to. */
  readonly peerKey: Uint8Array;
  /** Whether this end dialled. */
  readonly isInitiator: boolean;
  /** The path in use; `undefined` while a lost one is being replaced. */
  readonly path: LinkPath | undefined;
  /** The path in use, or the last one: what was heard of the peer came over it. */
  readonly lastPath: LinkPath | undefined;
  /** The carrier of the path in use, or of the last one. */
  readonly carrier: LinkPath["carrier"];
  /** Whether the path in use, or the last one, leads through a relay. */
  readonly isRelayed: boolean;
  readonly isOpen: boolean;
  /** Open streams, both directions. */
  readonly streamCount: number;

  /**
   * Opens a stream. At a limit of this link, ours or the peer's, the caller waits until another
   * one ends, and until the link is closed if none does: `signal` bounds it.
   *
   * @throws CulvertError `CULVERT_CLOSED` when the link is closed, `CULVERT_BUSY` when too many
   *   wait or the peer takes none at all
   * @throws RangeError for a name that is none, or another priority
   * @throws Error `AbortError`
   */
  openStream(protocol: string, options?: OpenStreamOptions): Promise<LinkStream>;
  /** Takes the streams of `protocol` that this peer opens, before the host's own handlers. */
  handle(protocol: string, onStream: StreamHandler): Cancel;
  /**
   * Sends up to `datagramBytesMax` bytes, borrowed, that may be lost and never arrive twice.
   *
   * @returns false when they were dropped here: no path, or too much waits
   */
  sendDatagram(protocol: string, bytes: Uint8Array): boolean;
  /** Hears the datagrams of `protocol` from this peer, before the host's own listeners. */
  onDatagram(protocol: string, listener: DatagramListener): Cancel;
  /** Calls back whenever the path changes or is lost. */
  onPath(listener: (path: LinkPath | undefined) => void): Cancel;
  /** Calls back once when the link is over, at once if it is; with the error that ended it. */
  onClose(listener: (error: CulvertError | undefined) => void): Cancel;
  /** Keeps the link from being closed as idle until the result is called. */
  hold(): Cancel;
  /** Resolves when the link is over. Idempotent; a forced close overtakes a graceful one. */
  close(options?: CloseOptions): Promise<void>;
}

/** Whom to dial, and where. */
export interface DialTarget {
  /**
   * The link goes to this node or fails with `CULVERT_WRONG_PEER`; beside a `publicKey` with
   * `CULVERT_UNREACHABLE`, as a node of another key cannot read the first message and cuts.
   */
  readonly id: NodeId;
  /** Where it may be; dialled in a staggered race, the remembered winner first. */
  readonly addresses: readonly NodeAddress[];
  /** The node's ed25519 key, when it is known: saves a round trip (Noise IK, not XX). */
  readonly publicKey?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a connection that is handed to a host is for. */
export interface AttachOptions {
  /** Whether this end begins the handshake; the other end has to say the opposite. */
  readonly isInitiator: boolean;
  /** The peer that must be at the other end; anybody if it is left out. */
  readonly expectedId?: NodeId;
  /** The peer's key, for an initiator that knows it. */
  readonly publicKey?: Uint8Array | undefined;
  /** True for a stream through a relay. */
  readonly isRelayed: boolean;
  /** Who has brought it, such as a relay: all that begins there has the share of one address. */
  readonly via?: NodeId | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A new way for an old link: addresses to dial, or a connection that is there. */
export type UpgradePath =
  | { readonly addresses: readonly NodeAddress[]; readonly signal?: AbortSignal | undefined }
  | {
      readonly connection: PathConnection;
      readonly isRelayed: boolean;
      /** The relay that it leads through. */
      readonly via?: NodeId | undefined;
      readonly signal?: AbortSignal | undefined;
    };

/**
 * Plain datagrams on the one UDP socket of a host, outside every link: for punching. Whoever is
 * told that a datagram came from an address cannot trust it.
 */
export interface ProbePort {
  /** Where the socket is bound. */
  readonly address: NodeAddress;
  /** Sends up to 1,200 bytes, borrowed, fire and forget. */
  send(bytes: Uint8Array, to: HostPort): void;
  /** Hears the probes of others; they are the listener's. */
  onProbe(listener: (bytes: Uint8Array, from: HostPort) => void): Cancel;
}

/** An address at which a peer has seen this node. */
export interface Observation {
  readonly address: NodeAddress;
  /** Who says so. */
  readonly by: NodeId;
  /** Where that node is, seen from here. */
  readonly remote: NodeAddress | undefined;
}

/**
 * All links of one node: one UDP socket and one TCP port for listening, dialling, punching and
 * datagrams.
 */
export interface LinkHost extends AsyncDisposable {
  readonly id: NodeId;
  /** Where the node listens. */
  readonly addresses: readonly NodeAddress[];
  /** The UDP socket for probes; absent without UDP. */
  readonly probes: ProbePort | undefined;

  /**
   * A link to the node: the one that is open, the one that is being dialled, or a new one.
   *
   * @throws CulvertError `CULVERT_UNREACHABLE`, `CULVERT_TIMEOUT`, `CULVERT_WRONG_PEER`,
   *   `CULVERT_BUSY`, the causes of all addresses in `cause`; `CULVERT_CLOSED` when the host is
   * @throws Error `AbortError`
   */
  dial(target: DialTarget): Promise<Link>;
  /** Makes a link over a connection that the caller has got somehow; it is handed over. */
  attach(connection: PathConnection, options: AttachOptions): Promise<Link>;
  /**
   * Moves `link` to a new path, without losing or repeating a byte; the old one is closed. One end
   * asks for it, either will do. When it fails, the link stays where it is; a connection that was
   * given is closed.
   *
   * @throws CulvertError `CULVERT_CLOSED` when the link is, `CULVERT_BUSY` while it moves already,
   *   what a dial to the peer fails with
   * @throws RangeError for a link of another host
   * @throws Error `AbortError`
   */
  upgrade(link: Link, path: UpgradePath): Promise<void>;
  /** The open link to a node, the one that is direct if there are several. */
  find(id: NodeId): Link | undefined;
  links(): readonly Link[];
  /** Calls back for every new link, whoever dialled. */
  onLink(listener: (link: Link) => void): Cancel;
  /** Takes the streams of `protocol` that any peer opens. */
  handle(protocol: string, onStream: StreamHandler): Cancel;
  /** Hears the datagrams of `protocol` from any peer. */
  onDatagram(protocol: string, listener: DatagramListener): Cancel;
  /** Calls back for every address at which a peer says that it sees this node. */
  onObserved(listener: (observation: Observation) => void): Cancel;
  /** Closes every link and every port. Idempotent. */
  close(options?: CloseOptions): Promise<void>;
}
