import {
  assert,
  type Core,
  CulvertError,
  type Instant,
  isCulvertError,
  unreachable,
} from "../../base/index.ts";
import {
  COPIED_AGAIN_AFTER,
  COPIED_AHEAD_BYTES_MAX,
  COPIED_BYTES_MAX,
  EarlyCopies,
} from "../channel/early-copies.ts";
import { RECORD_OVERHEAD_BYTES } from "../channel/record-cipher.ts";
import {
  COUNTED_AGAIN,
  COUNTED_AGAIN_MAX,
  FILLED_BYTES_MAX,
  RecordLedger,
} from "../channel/record-ledger.ts";
import type { LinkLimits } from "../limits.ts";
import {
  broken,
  encodeControl,
  type Farewell,
  farewellError,
  isNumbered,
  readControl,
} from "../mux/link-records.ts";
import { MuxCore } from "../mux/mux-core.ts";
import type { PeerLimits } from "../mux/mux-protocol.ts";
import { PathWatch } from "../path/path-watch.ts";
import type { LinkEffect, LinkInput } from "./protocol.ts";

/** Bytes of numbered records after which an acknowledgement does not wait. */
const ACK_EVERY_BYTES = 256 * 1_024;
/** The longest that an acknowledgement waits: what it frees is memory, not the peer's turn. */
const ACK_DELAY_MS = 200;

/** Where there is little room a record is this long at most: on a slow path others wait for it. */
const RECORD_BYTES_MIN = 16_384;

/**
 * A link above its paths: numbers the records of its streams, keeps them until the peer has them,
 * and repeats on a new path what the old one lost. So a link outlives a cut connection, and moves
 * to a better one, without losing or repeating a byte.
 *
 * Also: the keep-alive, the silence of a dead path, the time that a link may be without one, and
 * the graceful end.
 */
export class LinkCore implements Core<LinkInput, LinkEffect> {
  readonly #limits: LinkLimits;
  readonly #mux: MuxCore;
  readonly #ledger = new RecordLedger();
  readonly #allocate = (bytes: number): Uint8Array => this.#ledger.allocate(bytes);
  readonly #watch: PathWatch;
  readonly #effects: LinkEffect[] = [];
  readonly #copies = new EarlyCopies();
  #hasPath = false;
  #room = 0;
  /** The number of the next record to send over the path: behind `ledger.next` while it repeats. */
  #sendNext = 0;
  /** Numbered records that have come, and the number of the next one over this path. */
  #received = 0;
  #pathNext = 0;
  #unackedArrivals = 0;
  #ackAt: Instant = Number.POSITIVE_INFINITY;
  #isAckDue = false;
  #isPingDue = false;
  #drainUntil: Instant | undefined;
  #isOver = false;
  #droppedDatagrams = 0;

  constructor(options: {
    readonly limits: LinkLimits;
    readonly isInitiator: boolean;
    readonly peer: PeerLimits;
    readonly now: Instant;
  }) {
    this.#limits = options.limits;
    this.#mux = new MuxCore(options);
    this.#watch = new PathWatch(options);
  }

  /** Numbered records that have come: what the peer is told for a new path. */
  get received(): number {
    return this.#received;
  }

  get streamCount(): number {
    return this.#mux.streamCount;
  }

  /** Frames for streams that were over here. */
  get lateFrames(): number {
    return this.#mux.lateFrames;
  }

  /** Datagrams of the peer that were no good. */
  get droppedDatagrams(): number {
    return this.#droppedDatagrams;
  }

  /** Whether `doubt` may be told when another peer has been silent since then. */
  isDoubtful(since: Instant, now: Instant): boolean {
    return !this.#isOver && this.#watch.isDoubtful(since, now);
  }

  /** What may be handed to the path when the next input comes: a `room` of its own costs more. */
  set roomBytes(bytes: number) {
    this.#room = bytes;
  }

  handle(input: LinkInput, now: Instant): void {
    if (this.#isOver) return;
    switch (input.kind) {
      case "path":
        this.#takePath(input.peerReceived, input.receivedTold, now);
        break;
      case "path-lost":
        this.#hasPath = false;
        this.#watch.lost(now);
        break;
      case "abandon":
        this.#end(input.error);
        break;
      case "room":
        this.#room = input.bytes;
        break;
      case "message":
        this.#receive(input.payload, now);
        break;
      case "partial":
        // On a slow path a record takes longer than a silence may: both ends have to know.
        this.#watch.heard(now);
        this.#isAckDue = true;
        break;
      case "doubt":
        this.#watch.doubted(now);
        this.#isPingDue = true;
        break;
      case "loose":
        this.#receiveLoose(input.payload, now);
        break;
      case "close":
        this.#close(input.isGraceful, now);
        break;
      case "open":
        if (this.#drainUntil === undefined) this.#mux.handle(input, now);
        else this.#effects.push({ kind: "open-refused", ticket: input.ticket });
        break;
      default:
        this.#mux.handle(input, now);
    }
    this.#pump(now);
  }

  timeout(now: Instant): void {
    if (this.#isOver) return;
    if (now >= this.#ackAt) {
      this.#ackAt = Number.POSITIVE_INFINITY;
      this.#isAckDue = true;
    }
    const alarm = this.#watch.timeout(now);
    if (alarm === "ping") this.#isPingDue = true;
    else if (alarm === "late") this.#effects.push({ kind: "late", since: this.#watch.owedSince });
    else if (alarm === "silence") this.#effects.push({ kind: "silence" });
    else if (alarm === "abandoned") {
      this.#end(new CulvertError("CULVERT_UNREACHABLE", "no path to the node could be had"));
    }
    if (now >= (this.#drainUntil ?? Number.POSITIVE_INFINITY)) this.#farewell("closed");
    this.#pump(now);
  }

  poll(): LinkEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    if (this.#isOver) return Number.POSITIVE_INFINITY;
    const drain = this.#drainUntil ?? Number.POSITIVE_INFINITY;
    return Math.min(this.#ackAt, this.#watch.deadline(), drain);
  }

  #takePath(peerReceived: number, receivedTold: number, now: Instant): void {
    assert(receivedTold <= this.#received, "the peer was told what had come");
    // What the peer told for this path may be older than what it acknowledged over the last one.
    const isOld = peerReceived < this.#ledger.first;
    const isFarBehind = this.#ledger.first - peerReceived > COUNTED_AGAIN_MAX;
    if (isFarBehind || !(isOld || this.#ledger.acknowledge(peerReceived))) {
      this.#farewell("protocol", broken("the peer has records that were never sent"));
      return;
    }
    this.#hasPath = true;
    this.#sendNext = peerReceived;
    this.#pathNext = receivedTold;
    this.#watch.found(now);
    this.#noteOwed(now);
    if (receivedTold < this.#received) this.#ackSoon(now);
  }

  #receive(payload: Uint8Array, now: Instant): void {
    this.#watch.heard(now);
    try {
      if (isNumbered(payload)) this.#receiveNumbered(payload, now);
      else this.#receiveControl(payload, now);
    } catch (error) {
      if (!isCulvertError(error)) throw error;
      this.#farewell("protocol", error);
    }
  }

  #receiveNumbered(payload: Uint8Array, now: Instant): void {
    const number = this.#pathNext;
    this.#pathNext += 1;
    // A new path repeats what had come over the old one meanwhile.
    if (number < this.#received) return;
    this.#take(payload, now);
    this.#takeCopies(now);
  }

  /** The next numbered record. */
  #take(payload: Uint8Array, now: Instant): void {
    this.#received += 1;
    this.#unackedArrivals += payload.length;
    if (this.#unackedArrivals >= ACK_EVERY_BYTES) this.#isAckDue = true;
    else this.#ackSoon(now);
    this.#mux.handle({ kind: "receive", payload }, now);
  }

  /** Copies of what is due: their records come later, and are dropped by their numbers. */
  #takeCopies(now: Instant): void {
    const next = (): Uint8Array | undefined => this.#copies.take(this.#received);
    for (let copy = next(); copy !== undefined; copy = next()) this.#take(copy, now);
  }

  #receiveControl(payload: Uint8Array, now: Instant): void {
    const record = readControl(payload);
    switch (record.kind) {
      case "ack":
        if (!this.#ledger.acknowledge(record.received)) throw broken("a record was never sent");
        this.#watch.answered();
        this.#noteOwed(now);
        break;
      case "ping":
        this.#isAckDue = true;
        break;
      case "datagram":
        if (record.bytes.length > this.#limits.datagramBytesMax) throw broken("a long datagram");
        this.#effects.push(record);
        break;
      case "goodbye":
        this.#end(record.why === "closed" ? undefined : farewellError(record.why));
        break;
      case "hello":
      case "intent":
      case "resumed":
        throw broken("a greeting in the middle");
      case "copy":
        throw broken("a copy among the ordered records");
      default:
        unreachable(record);
    }
  }

  #receiveLoose(payload: Uint8Array, now: Instant): void {
    this.#watch.heard(now);
    try {
      const record = readControl(payload);
      if (record.kind === "copy") {
        this.#receiveCopy(record.number, record.payload, now);
        return;
      }
      const isGood = record.kind === "datagram";
      if (!isGood || record.bytes.length > this.#limits.datagramBytesMax)
        throw broken("no datagram");
      this.#effects.push(record);
    } catch (error) {
      if (!isCulvertError(error)) throw error;
      this.#droppedDatagrams += 1;
    }
  }

  #receiveCopy(number: number, payload: Uint8Array, now: Instant): void {
    if (!isNumbered(payload) || payload.length > COPIED_BYTES_MAX) throw broken("no copy");
    this.#copies.put(number, payload, this.#received);
    this.#takeCopies(now);
  }

  #ackSoon(now: Instant): void {
    if (this.#ackAt === Number.POSITIVE_INFINITY) this.#ackAt = now + ACK_DELAY_MS;
  }

  #noteOwed(now: Instant): void {
    if (this.#ledger.bytes > 0) this.#watch.owed(now);
  }

  /** Sends while there is room: acknowledgements first, then what was lost, then what is new. */
  #pump(now: Instant): void {
    this.#drainMux();
    while (!this.#isOver && this.#hasPath && this.#room > 0 && this.#sendOne(now)) this.#drainMux();
    this.#finishDraining();
  }

  #sendOne(now: Instant): boolean {
    if (this.#isAckDue) {
      this.#isAckDue = false;
      this.#ackAt = Number.POSITIVE_INFINITY;
      this.#unackedArrivals = 0;
      this.#send(encodeControl({ kind: "ack", received: this.#received }));
      return true;
    }
    if (this.#isPingDue) {
      this.#isPingDue = false;
      this.#send(encodeControl({ kind: "ping" }));
      this.#watch.sent(now);
      return true;
    }
    if (this.#sendNext === this.#ledger.next) {
      if (this.#ledger.cost >= this.#limits.unackedBytesMax) return false;
      const bytesMax = Math.min(Math.max(this.#room, RECORD_BYTES_MIN), FILLED_BYTES_MAX);
      const payload = this.#mux.fill(bytesMax, this.#allocate);
      if (payload === undefined) return false;
      this.#ledger.add(payload);
    }
    const isThere = this.#sendNext < this.#ledger.first;
    const payload = isThere ? COUNTED_AGAIN : this.#ledger.get(this.#sendNext);
    const isThin = this.#ledger.bytes <= COPIED_AHEAD_BYTES_MAX && !isThere;
    this.#send(payload, isThin && payload.length <= COPIED_BYTES_MAX ? this.#sendNext : undefined);
    if (isThin) this.#copyAgain(this.#sendNext - COPIED_AGAIN_AFTER);
    this.#sendNext += 1;
    this.#watch.sent(now);
    return true;
  }

  #send(payload: Uint8Array, number?: number): void {
    this.#room -= payload.length + RECORD_OVERHEAD_BYTES;
    this.#effects.push({ kind: "send", payload, ...(number !== undefined && { number }) });
  }

  #copyAgain(number: number): void {
    if (number < this.#ledger.first) return;
    const payload = this.#ledger.get(number);
    if (payload.length <= COPIED_BYTES_MAX) this.#effects.push({ kind: "copy", number, payload });
  }

  #drainMux(): void {
    for (let effect = this.#mux.poll(); effect !== undefined; effect = this.#mux.poll()) {
      if (effect.kind === "fail") this.#farewell("protocol", effect.error);
      else this.#effects.push(effect);
    }
  }

  #close(isGraceful: boolean, now: Instant): void {
    if (!isGraceful) this.#farewell("closed");
    else this.#drainUntil ??= now + this.#limits.drainMs;
  }

  #finishDraining(): void {
    if (this.#drainUntil === undefined || this.#isOver) return;
    if (this.#mux.streamCount === 0 && this.#ledger.bytes === 0) this.#farewell("closed");
  }

  /** Ends the link, and tells the peer if there is a way. */
  #farewell(why: Farewell, error?: CulvertError): void {
    if (this.#isOver) return;
    if (this.#hasPath) this.#send(encodeControl({ kind: "goodbye", why }));
    this.#end(error);
  }

  #end(error: CulvertError | undefined): void {
    this.#isOver = true;
    this.#effects.push({ kind: "over", error });
  }
}
