import { type Core, type Instant, LruMap, unreachable } from "../../base/index.ts";
import { type NodeId, nodeIdText } from "../../identity/index.ts";
import { TokenBucket } from "../../retx/index.ts";
import type { ConnectionLimits } from "./connection-limits.ts";

/**
 * Bytes that a connection is given at once: then it says whether it takes more. What still waits
 * here can be given up.
 */
export const AT_ONCE_BYTES = 262_144;

/** Names a connection; chosen by the shell, never used twice. */
export type ConnectionId = number;

/** A message on its way: `message` is what whoever gave it knows it by. */
interface Outgoing<Message> {
  readonly message: Message;
  readonly bytes: Uint8Array;
}

/** A message that waits, for its connection or for room on it. */
export interface Waiting<Message> extends Outgoing<Message> {
  readonly connection: ConnectionId | undefined;
}

/** What a connections core is told. */
export type ConnectionInput<Message> =
  | ({ readonly kind: "send"; readonly peer: NodeId } & Outgoing<Message>)
  /** A connection is there: dialled, or made by the peer; perhaps not for the first time. */
  | {
      readonly kind: "opened";
      readonly peer: NodeId;
      readonly connection: ConnectionId;
      /** Whether it takes no bytes now. */
      readonly isFull: boolean;
    }
  /** No way leads to the peer now; `isBusy`: by a limit, here or there. */
  | { readonly kind: "dialFailed"; readonly peer: NodeId; readonly isBusy: boolean }
  | { readonly kind: "closed"; readonly peer: NodeId; readonly connection: ConnectionId }
  /** Bytes came from the peer. */
  | { readonly kind: "heard"; readonly peer: NodeId }
  /** The connection takes no more bytes now, or takes them again. */
  | {
      readonly kind: "full" | "writable";
      readonly peer: NodeId;
      readonly connection: ConnectionId;
    };

/** What a connections core wants done. */
export type ConnectionEffect<Message> =
  /** A connection to the peer is wanted, whatever way leads there. */
  | { readonly kind: "dial"; readonly peer: NodeId }
  | ({ readonly kind: "transmit"; readonly connection: ConnectionId } & Outgoing<Message>)
  /** A message cannot leave this machine; `isBusy`: a limit, here or there, leaves no room. */
  | { readonly kind: "unsent"; readonly message: Message; readonly isBusy: boolean }
  /** The connection is not used for messages any more, until something is sent again. */
  | { readonly kind: "close"; readonly connection: ConnectionId }
  /** What was on its way to the peer, or from it, may be lost. */
  | { readonly kind: "disturbed"; readonly peer: NodeId }
  /** Whether anything more is to be read from the peer. */
  | { readonly kind: "reading"; readonly peer: NodeId; readonly isReading: boolean };

interface Peer<Message> {
  readonly peer: NodeId;
  readonly key: string;
  connection: ConnectionId | undefined;
  isDialled: boolean;
  readonly queue: Outgoing<Message>[];
  queuedBytes: number;
  isFull: boolean;
  isReading: boolean;
  /** Whether anything has left since the last clean-up. */
  hasMoved: boolean;
  /** Whether it is read although much waits: it may wait for us to read, as we for it. */
  isStuck: boolean;
  readonly bucket: TokenBucket;
  usedAt: Instant;
}

/**
 * Decides when connections are made and closed, and when each message goes out: EGTP's
 * TCPCommsHandler and its throttle, without sockets.
 *
 * A message to a peer without a connection has it dialled; only when that fails are its messages
 * `unsent`. A connection is closed when it was idle for long, or when there are too many idle ones;
 * never while messages wait for it or `isBusy` holds.
 */
export class ConnectionsCore<Message>
  implements Core<ConnectionInput<Message>, ConnectionEffect<Message>>
{
  readonly #limits: ConnectionLimits;
  readonly #isBusy: (peer: NodeId) => boolean;
  readonly #isAwaited: (peer: NodeId) => boolean;
  readonly #isWanted: (message: Message) => boolean;
  readonly #effects: ConnectionEffect<Message>[] = [];
  /** Peers that are connected, dialled, or waited for. */
  readonly #peers = new LruMap<string, Peer<Message>>();
  readonly #total: TokenBucket;
  #queuedBytes = 0;
  #cleanUpAt: Instant = Number.POSITIVE_INFINITY;
  /** When the throttle lets the next message through. */
  #reopenAt: Instant = Number.POSITIVE_INFINITY;

  constructor(init: {
    readonly limits: ConnectionLimits;
    readonly isBusy: (peer: NodeId) => boolean;
    /** Whether an answer of a peer is awaited. */
    readonly isAwaited: (peer: NodeId) => boolean;
    /** Whether a message that waits still has to go; if not, it is dropped without a word. */
    readonly isWanted: (message: Message) => boolean;
    readonly now: Instant;
  }) {
    this.#limits = init.limits;
    this.#isBusy = init.isBusy;
    this.#isAwaited = init.isAwaited;
    this.#isWanted = init.isWanted;
    const { totalBytesBurst: capacity, totalBytesPerSecond: perSecond } = init.limits;
    this.#total = new TokenBucket({ capacity, perSecond }, init.now);
  }

  /** Connections that are there or being made. */
  get connectionCount(): number {
    return this.#peers.size;
  }

  /** Gives back all that waits, of every peer, at the end; with the connection, if there is one. */
  takeWaiting(): Waiting<Message>[] {
    return [...this.#peers.values()].flatMap(({ queue, connection }) =>
      queue.splice(0).map((outgoing) => ({ ...outgoing, connection })),
    );
  }

  handle(input: ConnectionInput<Message>, now: Instant): void {
    switch (input.kind) {
      case "send":
        this.#send(input.peer, input, now);
        break;
      case "opened":
        this.#opened(input, now);
        break;
      case "dialFailed":
        this.#giveUp(this.#known(input.peer), input.isBusy);
        break;
      case "closed":
        this.#closed(input);
        break;
      case "heard":
        this.#use(this.#known(input.peer), now);
        break;
      case "full":
      case "writable":
        this.#setFull(this.#known(input.peer), input, now);
        break;
      default:
        unreachable(input);
    }
  }

  timeout(now: Instant): void {
    if (now >= this.#reopenAt) {
      this.#reopenAt = Number.POSITIVE_INFINITY;
      for (const peer of this.#peers.values()) this.#transmit(peer, now);
    }
    if (now >= this.#cleanUpAt) this.#cleanUp(now);
  }

  poll(): ConnectionEffect<Message> | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    return Math.min(this.#cleanUpAt, this.#reopenAt);
  }

  #send(id: NodeId, outgoing: Outgoing<Message>, now: Instant): void {
    const peer = this.#peerOf(id, now);
    const { message, bytes } = outgoing;
    const hasRoom = peer !== undefined && this.#makeRoomFor(peer, bytes.length);
    if (!hasRoom) {
      this.#effects.push({ kind: "unsent", message, isBusy: true });
      return;
    }
    const { connection } = peer;
    // Who only wants a connection needs no room on it.
    if (bytes.length === 0 && connection !== undefined) {
      this.#use(peer, now);
      this.#effects.push({ kind: "transmit", connection, message, bytes });
      return;
    }
    peer.queue.push(outgoing);
    this.#count(peer, bytes.length);
    this.#use(peer, now);
    if (connection !== undefined) this.#transmit(peer, now);
    else if (!peer.isDialled) this.#dial(peer);
    const last = peer.queue.length - 1;
    if (peer.queue[last] === outgoing) peer.queue[last] = inOwnMemory(outgoing);
  }

  /**
   * Whether so much more may wait for a peer. What waits for all is bounded, too: ids cost nothing,
   * so whoever has most of it loses its oldest. False when that is the peer itself.
   */
  #makeRoomFor(peer: Peer<Message>, bytes: number): boolean {
    const { queuedBytesPerPeerMax, queuedBytesMax } = this.#limits;
    if (peer.queuedBytes + bytes > queuedBytesPerPeerMax) this.#dropUnwanted(peer);
    // One message alone always fits: else a large one could never be sent.
    const isOver = peer.queuedBytes + bytes > queuedBytesPerPeerMax;
    if (isOver && peer.queuedBytes > 0) return false;
    while (this.#queuedBytes + bytes > queuedBytesMax) {
      let heaviest = peer;
      for (const other of this.#peers.values()) {
        if (other.queuedBytes > heaviest.queuedBytes) heaviest = other;
      }
      const oldest = heaviest === peer ? undefined : heaviest.queue.shift();
      if (oldest === undefined) return false;
      this.#count(heaviest, -oldest.bytes.length);
      this.#effects.push({ kind: "unsent", message: oldest.message, isBusy: true });
    }
    return true;
  }

  #dropUnwanted(peer: Peer<Message>): void {
    for (const outgoing of peer.queue.splice(0)) {
      if (this.#isWanted(outgoing.message)) peer.queue.push(outgoing);
      else this.#count(peer, -outgoing.bytes.length);
    }
  }

  #dial(peer: Peer<Message>): void {
    peer.isDialled = true;
    this.#effects.push({ kind: "dial", peer: peer.peer });
  }

  #giveUp(peer: Peer<Message> | undefined, isBusy: boolean): void {
    if (peer === undefined || !peer.isDialled || peer.connection !== undefined) return;
    this.#peers.delete(peer.key);
    this.#count(peer, -peer.queuedBytes);
    for (const { message } of peer.queue) this.#effects.push({ kind: "unsent", message, isBusy });
  }

  #opened(
    { peer: id, connection, isFull }: ConnectionInput<Message> & { readonly kind: "opened" },
    now: Instant,
  ): void {
    const peer = this.#peerOf(id, now);
    if (peer === undefined) {
      this.#effects.push({ kind: "close", connection });
      return;
    }
    // The newest one is used: the peer had a reason to make it.
    const superseded = peer.connection;
    if (superseded !== undefined && superseded !== connection) {
      this.#effects.push({ kind: "close", connection: superseded });
    }
    peer.connection = connection;
    peer.isDialled = false;
    peer.isFull = isFull;
    if (!peer.isReading) this.#effects.push({ kind: "reading", peer: id, isReading: false });
    this.#use(peer, now);
    if (this.#cleanUpAt === Number.POSITIVE_INFINITY) {
      this.#cleanUpAt = now + this.#limits.cleanUpMs;
    }
    this.#transmit(peer, now);
  }

  #closed({ peer: id, connection }: ConnectionInput<Message> & { readonly kind: "closed" }): void {
    // Also over one that another has taken the place of something may have been on its way.
    this.#effects.push({ kind: "disturbed", peer: id });
    const peer = this.#known(id);
    if (peer?.connection !== connection) return;
    peer.connection = undefined;
    if (peer.queue.length > 0) this.#dial(peer);
    else this.#peers.delete(peer.key);
  }

  #setFull(
    peer: Peer<Message> | undefined,
    { kind, connection }: { kind: "full" | "writable"; connection: ConnectionId },
    now: Instant,
  ): void {
    if (peer?.connection !== connection) return;
    peer.isFull = kind === "full";
    this.#transmit(peer, now);
  }

  /** Sends what may go now; the rest waits for the connection, or for the throttle. */
  #transmit(peer: Peer<Message>, now: Instant): void {
    const { connection } = peer;
    let atOnce = 0;
    while (connection !== undefined && !peer.isFull) {
      const [next] = peer.queue;
      if (next === undefined) return;
      const { length } = next.bytes;
      if (!this.#isWanted(next.message)) {
        peer.queue.shift();
        this.#count(peer, -length);
        continue;
      }
      const waitMs = Math.max(peer.bucket.waitMs(length, now), this.#total.waitMs(length, now));
      if (waitMs > 0) {
        this.#reopenAt = Math.min(this.#reopenAt, now + waitMs);
        return;
      }
      peer.bucket.take(length, now);
      this.#total.take(length, now);
      peer.queue.shift();
      peer.hasMoved = true;
      const { message, bytes } = next;
      this.#effects.push({ kind: "transmit", connection, message, bytes });
      this.#count(peer, -length);
      atOnce += length;
      if (atOnce >= AT_ONCE_BYTES) peer.isFull = true;
    }
  }

  #count(peer: Peer<Message>, bytes: number): void {
    peer.queuedBytes += bytes;
    this.#queuedBytes += bytes;
    const { queuedBytesHigh } = this.#limits;
    const high = peer.isReading ? queuedBytesHigh : queuedBytesHigh / 2;
    if (peer.queuedBytes <= high / 2) peer.isStuck = false;
    // Two that wait for each other's answers would else wait for each other to read.
    const isReading = peer.queuedBytes <= high || peer.isStuck || this.#isAwaited(peer.peer);
    if (isReading === peer.isReading) return;
    peer.isReading = isReading;
    this.#effects.push({ kind: "reading", peer: peer.peer, isReading });
  }

  #cleanUp(now: Instant): void {
    const { idleMs, idleKept, cleanUpMs } = this.#limits;
    for (const peer of this.#peers.values()) this.#judge(peer);
    const idle = [...this.#peers.values()].filter((peer) => this.#isIdle(peer));
    const tooMany = idle.length - idleKept;
    for (const [at, peer] of idle.entries()) {
      if (at < tooMany || now - peer.usedAt >= idleMs) this.#close(peer);
    }
    const isAnyLeft = this.#peers.size > 0;
    this.#cleanUpAt = isAnyLeft ? now + cleanUpMs : Number.POSITIVE_INFINITY;
  }

  #judge(peer: Peer<Message>): void {
    if (!peer.isReading && !peer.hasMoved) peer.isStuck = true;
    peer.hasMoved = false;
    this.#count(peer, 0);
  }

  #isIdle(peer: Peer<Message>): boolean {
    return peer.connection !== undefined && peer.queue.length === 0 && !this.#isBusy(peer.peer);
  }

  #close(peer: Peer<Message>): void {
    if (peer.connection === undefined) return;
    this.#peers.delete(peer.key);
    this.#effects.push({ kind: "close", connection: peer.connection });
  }

  #known(id: NodeId): Peer<Message> | undefined {
    return this.#peers.peek(nodeIdText(id));
  }

  #use(peer: Peer<Message> | undefined, now: Instant): void {
    if (peer === undefined) return;
    peer.usedAt = now;
    this.#peers.get(peer.key);
  }

  #peerOf(id: NodeId, now: Instant): Peer<Message> | undefined {
    const known = this.#known(id);
    if (known !== undefined) return known;
    if (this.#peers.size >= this.#limits.connectionsMax && !this.#makeRoom()) return undefined;
    const { bytesBurst: capacity, bytesPerSecond: perSecond } = this.#limits;
    const peer: Peer<Message> = {
      ...{ peer: id.slice(), key: nodeIdText(id), connection: undefined, isDialled: false },
      ...{ queue: [], queuedBytes: 0, isFull: false, isReading: true },
      ...{ hasMoved: false, isStuck: false },
      ...{ bucket: new TokenBucket({ capacity, perSecond }, now), usedAt: now },
    };
    this.#peers.set(peer.key, peer);
    return peer;
  }

  #makeRoom(): boolean {
    for (const peer of this.#peers.values()) {
      if (!this.#isIdle(peer)) continue;
      this.#close(peer);
      return true;
    }
    return false;
  }
}

/** What waits must not keep the memory that its bytes share with others of their moment. */
function inOwnMemory<Message>({ message, bytes }: Outgoing<Message>): Outgoing<Message> {
  const isShared = 2 * bytes.length < bytes.buffer.byteLength;
  return { message, bytes: isShared ? bytes.slice() : bytes };
}
