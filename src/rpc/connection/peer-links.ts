import {
  type Cancel,
  type Clock,
  Counts,
  CulvertError,
  Driver,
  isCulvertError,
  onAbort,
  requireBytes,
  requireMachine,
  requireMethods,
  requireObject,
  requirePositive,
  throwIfAborted,
  unreachable,
} from "../../base/index.ts";
import { NODE_ID_BYTES, type NodeId, nodeIdText } from "../../identity/index.ts";
import { systemClock } from "../../io/clock.ts";
import type { ByteDuplex } from "../byte-duplex.ts";
import type { CarrierEvents, RequestCarrier, StreamCarrier } from "../carrier.ts";
import { REQUEST_LIMITS } from "../limits.ts";
import { ENVELOPE_BYTES_MAX } from "../message/envelope.ts";
import { type ConnectionLimits, resolveConnectionLimits } from "./connection-limits.ts";
import {
  type ConnectionEffect,
  type ConnectionId,
  type ConnectionInput,
  ConnectionsCore,
} from "./connections-core.ts";
import { MessageLane } from "./message-lane.ts";
import { CALL_PROTOCOL, type LinkDialler, type PeerLink } from "./peer-link.ts";

/** How links are used. */
export interface PeerLinksOptions {
  readonly limits?: Partial<ConnectionLimits>;
  /** Longest body of a request; as in the limits of the requests that go over them. */
  readonly bodyBytesMax?: number;
  readonly clock?: Clock;
}

/** No bytes: what waits under this message is a connection, and nothing is sent. */
const CONNECTION_WANTED = new Uint8Array(0);
/** A peer that talks is noted as heard once in so long. */
const HEARD_MS = 1_000;

/** A message for which a connection is awaited. */
interface Waiting {
  sent(lane: MessageLane, bytes: Uint8Array): void;
  unsent(isBusy?: boolean): void;
  isWanted(): boolean;
}

const sendMessage: Waiting["sent"] = (lane, bytes) => lane.send(bytes);
const always: Waiting["isWanted"] = () => true;

/**
 * Carries requests and streaming calls over links: the shell of a {@link ConnectionsCore}. Links
 * are dialled when something is to be sent, kept while they are used, and shared with whoever else
 * uses them: what is idle here gives its streams back, and whoever made the link closes it.
 */
export class PeerLinks implements RequestCarrier, StreamCarrier {
  readonly isReliable = true;
  readonly #dialler: LinkDialler;
  readonly #clock: Clock;
  readonly #messageBytesMax: number;
  readonly #core: ConnectionsCore<Waiting>;
  readonly #driver: Driver<ConnectionInput<Waiting>, ConnectionEffect<Waiting>>;
  readonly #lanes = new Map<ConnectionId, MessageLane>();
  readonly #byLink = new Map<PeerLink, ConnectionId>();
  readonly #heardAt = new Map<ConnectionId, number>();
  /** Open streams of calls, by peer: they keep the connection. */
  readonly #calls = new Counts();
  #cancelLinks: Cancel = () => {};
  #events: CarrierEvents | undefined;
  #onStream: (peer: NodeId, stream: ByteDuplex) => void = (_peer, stream) => stream.destroy();
  #isBusy: (peer: NodeId) => boolean = () => false;
  #isAwaited: (peer: NodeId) => boolean = () => false;
  #nextConnection: ConnectionId = 1;
  #isClosed = false;

  constructor(dialler: LinkDialler, options: PeerLinksOptions = {}) {
    requireMethods("dialler", dialler, "dial", "onLink");
    requireObject("options", options);
    requireMachine(options);
    const { clock = systemClock, bodyBytesMax = REQUEST_LIMITS.bodyBytesMax } = options;
    requirePositive("bodyBytesMax", bodyBytesMax);
    this.#dialler = dialler;
    this.#clock = clock;
    this.#messageBytesMax = bodyBytesMax + ENVELOPE_BYTES_MAX;
    this.#core = new ConnectionsCore({
      limits: resolveConnectionLimits(options.limits),
      isBusy: (peer) => this.#calls.of(nodeIdText(peer)) > 0 || this.#isBusy(peer),
      isAwaited: (peer) => this.#isAwaited(peer),
      isWanted: (message) => message.isWanted(),
      now: clock.now(),
    });
    this.#driver = new Driver(this.#core, clock, (effect) => this.#perform(effect));
    this.#driver.setBackground(true);
  }

  start(events: CarrierEvents): void {
    this.#events = events;
    this.#cancelLinks = this.#dialler.onLink((link) => this.#laneOf(link));
  }

  setBusy(isBusy: (peer: NodeId) => boolean, isAwaited: (peer: NodeId) => boolean): void {
    this.#isBusy = isBusy;
    this.#isAwaited = isAwaited;
  }

  onStream(listener: (peer: NodeId, stream: ByteDuplex) => void): void {
    this.#onStream = listener;
  }

  send(
    peer: NodeId,
    bytes: Uint8Array,
    unsent: (isBusy?: boolean) => void,
    isWanted: () => boolean = always,
  ): void {
    this.#send(peer, bytes, { sent: sendMessage, unsent, isWanted });
  }

  async openStream(
    peer: NodeId,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ByteDuplex> {
    requireBytes("peer", peer, NODE_ID_BYTES);
    requireObject("options", options);
    const { signal } = options;
    throwIfAborted(signal);
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
    const lane = await new Promise<MessageLane>((resolve, reject) => {
      const forget = onAbort(signal, reject);
      this.#send(peer, CONNECTION_WANTED, {
        sent: (found) => {
          forget();
          resolve(found);
        },
        unsent: (isBusy) => {
          forget();
          const code = isBusy === true ? "CULVERT_BUSY" : "CULVERT_UNREACHABLE";
          reject(new CulvertError(this.#isClosed ? "CULVERT_CLOSED" : code));
        },
        isWanted: () => signal?.aborted !== true,
      });
    });
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
    const stream = await lane.link.openStream(CALL_PROTOCOL, options);
    this.#countCall(peer, stream);
    return stream;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelLinks();
    this.#driver.stop();
    // What only waits for room goes out, as what was handed to a lane before.
    for (const { connection, message, bytes } of this.#core.takeWaiting()) {
      const lane = connection === undefined ? undefined : this.#lanes.get(connection);
      if (lane === undefined) message.unsent();
      else message.sent(lane, bytes);
    }
    for (const lane of this.#lanes.values()) lane.detach();
    this.#lanes.clear();
    this.#byLink.clear();
  }

  #perform(effect: ConnectionEffect<Waiting>): void {
    switch (effect.kind) {
      case "dial":
        void this.#dial(effect.peer);
        break;
      case "transmit": {
        const lane = this.#lanes.get(effect.connection);
        if (lane === undefined) effect.message.unsent();
        else effect.message.sent(lane, effect.bytes);
        break;
      }
      case "unsent":
        effect.message.unsent(effect.isBusy);
        break;
      case "close":
        this.#lanes.get(effect.connection)?.rest();
        break;
      case "disturbed":
        this.#events?.disturbed(effect.peer);
        break;
      case "reading":
        for (const lane of this.#lanes.values()) {
          const isOfPeer = nodeIdText(lane.link.peer) === nodeIdText(effect.peer);
          if (isOfPeer) lane.setReading(effect.isReading);
        }
        break;
      default:
        unreachable(effect);
    }
  }

  async #dial(peer: NodeId): Promise<void> {
    try {
      const link = await this.#dialler.dial(peer);
      const connection = this.#laneOf(link);
      if (connection === undefined) throw new CulvertError("CULVERT_UNREACHABLE");
      const isFull = this.#lanes.get(connection)?.isFull === true;
      this.#driver.handle({ kind: "opened", peer, connection, isFull });
    } catch (error) {
      // Whatever else it was, no way leads there now: that is for the dialler's own log to tell.
      const isBusy = isCulvertError(error, "CULVERT_BUSY");
      this.#driver.handle({ kind: "dialFailed", peer, isBusy });
    }
  }

  #laneOf(link: PeerLink): ConnectionId | undefined {
    const known = this.#byLink.get(link);
    if (known !== undefined) return known;
    if (this.#isClosed || !link.isOpen) return undefined;
    const connection = this.#nextConnection;
    this.#nextConnection += 1;
    const { peer } = link;
    const lane = new MessageLane(
      link,
      {
        received: (bytes) => this.#received(peer, connection, bytes),
        full: (isFull) => {
          this.#driver.handle({ kind: isFull ? "full" : "writable", peer, connection });
        },
        disturbed: () => this.#events?.disturbed(peer),
        closed: () => this.#closed(link, connection),
      },
      this.#messageBytesMax,
    );
    this.#byLink.set(link, connection);
    this.#lanes.set(connection, lane);
    const cancelCalls = link.handle(CALL_PROTOCOL, (stream) => {
      this.#countCall(peer, stream);
      this.#onStream(peer, stream);
    });
    lane.onDetach(cancelCalls);
    this.#driver.handle({ kind: "opened", peer, connection, isFull: false });
    return connection;
  }

  #closed(link: PeerLink, connection: ConnectionId): void {
    this.#lanes.delete(connection);
    this.#byLink.delete(link);
    this.#heardAt.delete(connection);
    this.#driver.handle({ kind: "closed", peer: link.peer, connection });
  }

  #received(peer: NodeId, connection: ConnectionId, bytes: Uint8Array): void {
    const now = this.#clock.now();
    if (now - (this.#heardAt.get(connection) ?? Number.NEGATIVE_INFINITY) >= HEARD_MS) {
      this.#heardAt.set(connection, now);
      this.#driver.handle({ kind: "heard", peer });
    }
    this.#events?.received(peer, bytes);
  }

  #countCall(peer: NodeId, stream: ByteDuplex): void {
    if (stream.closed) return;
    const key = nodeIdText(peer);
    this.#calls.add(key);
    stream.on("close", () => this.#calls.remove(key));
  }

  #send(peer: NodeId, bytes: Uint8Array, message: Waiting): void {
    if (this.#isClosed) queueMicrotask(() => message.unsent());
    else this.#driver.handle({ kind: "send", peer, message, bytes });
  }
}
