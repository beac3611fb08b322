import {
  type Cancel,
  type Clock,
  CulvertError,
  type Instant,
  type Random,
  unreachable,
} from "../../base/index.ts";
import type { NodeAddress } from "../../identity/index.ts";
import type { PathConnection, PathEvents } from "../../link/index.ts";
import { RtoEstimator } from "../../retx/index.ts";
import { IncomingPieces } from "./incoming-pieces.ts";
import { OutgoingPieces } from "./outgoing-pieces.ts";
import type { NetworkEndpoint, NetworkProtocol } from "./packet.ts";
import type { Segment } from "./segment.ts";

/** What a connection needs of the port that it is on. */
export interface ConnectionInit {
  readonly clock: Clock;
  readonly random: Random;
  readonly protocol: NetworkProtocol;
  readonly remote: NetworkEndpoint;
  /** The number that the other end knows it by. */
  readonly remoteId: number;
  /** How it begins: one end asks and the other has heard it, or both know of it already. */
  readonly role: "dialler" | "listener" | "agreed";
  readonly send: (to: NetworkEndpoint, segment: Segment, bytes: Uint8Array) => void;
  /** Called once, when nobody will ask for the connection any more. */
  readonly forget: () => void;
}

/** How long a dialler, or unacknowledged bytes, wait for any answer. */
const SILENCE_MS = 30_000;
/** A connection whose peer is there but does not read asks often enough not to fall silent. */
const PATIENCE = { initialMs: 1_000, minMs: 50, maxMs: SILENCE_MS / 3, jitter: 0 };
/** When a dialler asks again for the first time. */
const OPEN_GAP_MS = 500;
/** Whoever knows the progress is told of it while so much is on its way. */
const MUCH_BYTES = 16_384;
const NOTHING = new Uint8Array(0);

/**
 * A reliable, ordered connection over the packets of the virtual network: what TCP is between two
 * hosts, or a stream of udx between two UDP ports. Lost pieces are sent again, a slow reader holds
 * the writer back, silence ends it.
 *
 * As TCP does it hears nobody but its peer's address. As udx does it hears its number from every
 * address, and answers to the one that it was given: after a NAT has been rebound the bytes of one
 * direction still arrive, and nobody hears so.
 */
export class VirtualConnection implements PathConnection {
  /** Where the other end is, as it is seen from here. */
  readonly remote: NodeAddress;
  readonly #init: ConnectionInit;
  readonly #rto: RtoEstimator;
  readonly #outgoing = new OutgoingPieces();
  readonly #incoming = new IncomingPieces();
  #events: PathEvents | undefined;
  #opened: ((error: Error | undefined) => void) | undefined;
  #state: "opening" | "open" | "closed";
  #error: Error | undefined;
  #isReading = true;
  #isDelivering = false;
  #isTold = false;
  #isWaitingToDrain = false;
  #heardAt: Instant;
  #timerAt: Instant = Number.POSITIVE_INFINITY;
  #cancelTimer: Cancel = () => {};

  constructor(init: ConnectionInit) {
    this.#init = init;
    this.remote = { carrier: init.protocol, ...init.remote };
    this.#state = init.role === "dialler" ? "opening" : "open";
    this.#rto = new RtoEstimator({ ...PATIENCE, random: init.random });
    this.#heardAt = init.clock.now();
    if (init.role === "dialler") this.#ask(OPEN_GAP_MS);
    if (init.role === "listener") this.#say({ kind: "opened", connection: init.remoteId });
    this.#arm();
  }

  /** Calls back once, not at once: when the other end is there, or when it will never be. */
  whenOpen(listener: (error: Error | undefined) => void): void {
    this.#opened = listener;
    if (this.#state !== "opening") this.#soon(() => this.#tellOpen(this.#error));
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Bytes that were written and have not been sent for the first time. */
  get unsentBytes(): number {
    return this.#outgoing.waitingBytes;
  }

  /** As udx knows it; TCP of an application does not. */
  get progress(): PathConnection["progress"] {
    if (this.#init.protocol === "tcp") return undefined;
    const roundTripMs = this.#rto.meanMs ?? 0;
    const { underWayBytes, repeatedShare } = this.#outgoing;
    return { roundTripMs, inFlightBytes: underWayBytes, repeatedShare };
  }

  /** Starts to read, and tells `events` from now on. */
  start(events: PathEvents): void {
    this.#soon(() => {
      this.#events = events;
      if (this.#state === "closed") this.#tellClosed();
      else this.#run();
    });
  }

  /** Sends bytes, which are handed over; after the end it does nothing. */
  write(bytes: Uint8Array): void {
    if (this.#state === "closed" || this.#outgoing.hasEnd || bytes.length === 0) return;
    this.#outgoing.write(bytes);
    this.#run();
  }

  setReading(isReading: boolean): void {
    if (this.#isReading === isReading) return;
    this.#isReading = isReading;
    if (!isReading || this.#state !== "open") return;
    this.#run();
    if (this.isOpen) this.#acknowledge(this.#incoming.below - 1);
  }

  /** Ends the connection after what was written; with `isAbrupt` at once. */
  close(isAbrupt: boolean): void {
    if (this.#state === "closed") return;
    if (isAbrupt) {
      this.#say({ kind: "reset", connection: this.#init.remoteId });
      this.#finish(undefined);
      return;
    }
    this.#isReading = true;
    this.#outgoing.end();
    this.#run();
  }

  /** Sends one datagram beside the bytes; absent over TCP. */
  get sendDatagram(): PathConnection["sendDatagram"] {
    return this.#init.protocol === "tcp" ? undefined : this.#sendBeside;
  }

  readonly #sendBeside = (bytes: Uint8Array): void => {
    if (this.#state !== "open") return;
    this.#say({ kind: "beside", connection: this.#init.remoteId }, bytes.slice());
  };

  /** A packet for this connection. Called by the port. */
  handle(from: NetworkEndpoint, segment: Segment, bytes: Uint8Array): void {
    const isElsewhere = from.host !== this.remote.host || from.port !== this.remote.port;
    if (isElsewhere && this.#init.protocol === "tcp") return;
    if (this.#state === "closed") {
      // The peer may not know yet that its last piece has come.
      if (segment.kind === "data") this.#acknowledge(segment.index);
      return;
    }
    this.#heardAt = this.#init.clock.now();
    switch (segment.kind) {
      case "open":
        this.#say({ kind: "opened", connection: this.#init.remoteId });
        return;
      case "reset":
        this.#finish(new CulvertError("CULVERT_UNREACHABLE", "the connection was reset"));
        return;
      case "opened":
        this.#becomeOpen();
        break;
      case "beside":
        this.#events?.datagram?.(bytes);
        return;
      case "data":
        this.#receive(segment, bytes);
        return;
      case "ack":
        this.#acknowledged(segment);
        break;
      default:
        unreachable(segment);
    }
    this.#run();
  }

  #receive(segment: Extract<Segment, { kind: "data" }>, bytes: Uint8Array): void {
    this.#becomeOpen();
    const isTaken = this.#incoming.put(segment.index, bytes, segment.isEnd);
    this.#run();
    this.#acknowledge(isTaken ? segment.index : this.#incoming.below - 1);
  }

  #acknowledged(segment: Extract<Segment, { kind: "ack" }>): void {
    const isMuch = this.#outgoing.underWayBytes >= MUCH_BYTES;
    const { isNews, rttMs } = this.#outgoing.acknowledge(segment, this.#heardAt);
    if (isNews && isMuch && this.#init.protocol === "udp") this.#tellDrained();
    if (rttMs !== undefined) this.#rto.sample(rttMs);
    else if (isNews) this.#rto.restore();
  }

  #becomeOpen(): void {
    if (this.#state !== "opening") return;
    this.#state = "open";
    this.#tellOpen(undefined);
  }

  #tellOpen(error: Error | undefined): void {
    const opened = this.#opened;
    this.#opened = undefined;
    opened?.(error);
  }

  /** Delivers what came in order, sends what may be sent, and ends when both is over. */
  #run(): void {
    this.#deliver();
    if (this.#incoming.isEnded) this.#outgoing.end();
    if (this.#state === "open") {
      for (const { index, isEnd, bytes } of this.#outgoing.sendable(this.#init.clock.now())) {
        this.#say({ kind: "data", connection: this.#init.remoteId, index, isEnd }, bytes);
      }
      if (this.#outgoing.isDone && this.#incoming.isEnded) this.#finish(undefined);
    }
    this.#arm();
    const isWaiting = this.#outgoing.waitingBytes > 0;
    const isDrained = this.#isWaitingToDrain && !isWaiting && this.#state === "open";
    this.#isWaitingToDrain = isWaiting;
    if (isDrained) this.#tellDrained();
  }

  #tellDrained(): void {
    this.#soon(() => this.#events?.drained());
  }

  #deliver(): void {
    const events = this.#events;
    if (events === undefined || this.#isDelivering) return;
    this.#isDelivering = true;
    try {
      while (this.#isReading && this.#state !== "closed") {
        const bytes = this.#incoming.take();
        if (bytes === undefined) break;
        if (bytes.length > 0) events.receive(bytes);
      }
    } finally {
      this.#isDelivering = false;
    }
  }

  #finish(error: Error | undefined): void {
    this.#state = "closed";
    this.#error = error;
    this.#arm();
    this.#soon(() => {
      this.#tellOpen(error ?? new CulvertError("CULVERT_CLOSED"));
      this.#tellClosed();
    });
    const { clock, forget } = this.#init;
    // As TCP waits after an end in good order: the last acknowledgement may get lost.
    const isOrderly = error === undefined && this.#outgoing.isDone;
    clock.schedule(clock.now() + (isOrderly ? SILENCE_MS : 0), forget);
  }

  /** Once, and not before somebody listens. */
  #tellClosed(): void {
    if (this.#events === undefined || this.#isTold) return;
    this.#isTold = true;
    this.#events.closed(this.#error);
  }

  #arm(): void {
    const at = this.#dueAt();
    if (at === this.#timerAt) return;
    this.#cancelTimer();
    this.#timerAt = at;
    this.#cancelTimer = this.#init.clock.schedule(at, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#expired();
    });
  }

  #dueAt(): Instant {
    if (this.#state === "closed") return Number.POSITIVE_INFINITY;
    if (this.#state === "opening") return this.#heardAt + SILENCE_MS;
    const sentAt = this.#outgoing.oldestSentAt;
    return sentAt === undefined ? Number.POSITIVE_INFINITY : sentAt + this.#rto.rtoMs();
  }

  #expired(): void {
    const now = this.#init.clock.now();
    const silentSince = Math.max(this.#heardAt, this.#outgoing.busySince);
    if (this.#state === "opening" || now - silentSince >= SILENCE_MS) {
      this.#finish(new CulvertError("CULVERT_UNREACHABLE", "the connection fell silent"));
      return;
    }
    this.#outgoing.timeout(now, this.#rto.rtoMs());
    this.#rto.backoff();
    this.#run();
  }

  /** Asks for the connection, and again at doubling gaps. */
  #ask(gapMs: number): void {
    if (this.#state !== "opening") return;
    this.#say({ kind: "open", connection: this.#init.remoteId });
    const { clock } = this.#init;
    clock.schedule(clock.now() + gapMs, () => this.#ask(gapMs * 2));
  }

  #acknowledge(index: number): void {
    const { below, roomBytes } = this.#incoming;
    this.#say({ kind: "ack", connection: this.#init.remoteId, index, below, roomBytes });
  }

  #say(segment: Segment, bytes: Uint8Array = NOTHING): void {
    this.#init.send(this.#init.remote, segment, bytes);
  }

  /** Not inside the caller: nobody expects to be called back by what he calls. */
  #soon(run: () => void): void {
    const { clock } = this.#init;
    clock.schedule(clock.now(), run);
  }
}
