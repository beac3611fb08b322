import { assert, type Core, type Instant, unreachable } from "../../base/index.ts";
import { AddressHash } from "../record/address-hash.ts";
import type { ReceiptSigner } from "../record/receipt.ts";
import { ADDRESS_BYTES, RECORD_HEADER_BYTES } from "../record/record.ts";
import { FairQueue } from "./fair-queue.ts";
import { GetDesk } from "./get-desk.ts";
import type { MapLimits } from "./limits.ts";
import type {
  Asker,
  AskerId,
  Effort,
  MapEffect,
  MapInput,
  QueuedRequest,
  RequestId,
} from "./protocol.ts";
import { PutDesk, type PutMoment } from "./put-desk.ts";
import { RecentRecords } from "./recent-records.ts";
import { type MapStatistics, noStatistics } from "./statistics.ts";

/** What a turn may spend: some two milliseconds, so that nothing else waits for long. */
const TURN_COST_MAX = 256;
/** What each kind of effort costs in it. */
const COSTS: Readonly<Record<Effort, number>> = { verify: 16, aside: 4, read: 4, little: 1 };
/** What so many bytes of a put cost in addition: they are read, hashed and copied. */
const BYTES_PER_COST = 1_024;

/** What a Map core is made of. */
export interface MapCoreOptions {
  readonly payloadSize: number;
  readonly limits: MapLimits;
  readonly signer: ReceiptSigner;
  /** Records that the store can hold. */
  readonly entriesMax: number;
  /** Whether records are verified by the shell, while others are served; by this core if absent. */
  readonly verifiesAside?: boolean;
  /** Of the store: whether records may be handed over once they are durable. */
  readonly sharesNoMemory?: boolean;
  /** Random bytes for an `AddressHash`: strangers must not make addresses meet in a table. */
  readonly secret: Uint8Array;
}

/**
 * A Map node as a synchronous state machine: admission, checks, the write-once answers, waiting
 * gets, receipts and sweeping. It neither stores nor sends: that is what the effects are for.
 *
 * - Every put and get is answered exactly once, unless its asker is gone or the get is cancelled.
 * - `stored` is answered only after the store said that the record is durable.
 * - Requests wait in fair queues until a `turn`; a turn does a bounded amount of work.
 * - Gets go on while the store takes no puts. While it hangs puts are refused; it is waited for.
 * - Peers cannot make it throw, nor make it hold more than its limits say.
 */
export class MapCore implements Core<MapInput, MapEffect> {
  readonly #limits: MapLimits;
  readonly #effects: MapEffect[] = [];
  readonly #queue: FairQueue;
  readonly #puts: PutDesk;
  readonly #recent: RecentRecords;
  readonly #gets: GetDesk;
  readonly #askers = new Map<AskerId, Asker>();
  readonly #congested = new Set<AskerId>();
  readonly #statistics: MapStatistics = noStatistics();
  #isTurnAsked = false;
  #isSweeping = false;
  #isDraining = false;
  #sweepAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(options: MapCoreOptions) {
    const { limits, verifiesAside = false } = options;
    const hash = new AddressHash(options.secret);
    const recent = new RecentRecords(limits.recentBytesMax, hash);
    const statistics = this.#statistics;
    const effect = (effect: MapEffect): void => this.#push(effect);
    this.#limits = limits;
    this.#recent = recent;
    this.#queue = new FairQueue(limits, RECORD_HEADER_BYTES + options.payloadSize);
    this.#gets = new GetDesk({ ...options, hash, recent, statistics, effect });
    this.#puts = new PutDesk({
      ...options,
      verifiesAside,
      recent,
      statistics,
      effect,
      wake: (record, ttlSeconds) => this.#gets.wake(record, ttlSeconds),
    });
  }

  get statistics(): MapStatistics {
    return { ...this.#statistics, links: this.#askers.size, waiting: this.#gets.size };
  }

  /** Nothing is queued, on its way to the store, or asked of it. */
  get isIdle(): boolean {
    return this.#queue.isEmpty && !this.#puts.isBusy && !this.#gets.isReading;
  }

  /** True while more requests of this asker would be answered `busy`. */
  isCongested(asker: AskerId): boolean {
    return this.#congested.has(asker);
  }

  /** Zero bits that a put must show now, at this fill of the store. */
  workBits(fill: number): number {
    return this.#puts.workBits(fill);
  }

  handle(input: MapInput, now: Instant): void {
    switch (input.kind) {
      case "open":
        this.#askers.set(input.asker, input);
        this.#queue.open(input.asker, input.source, now);
        this.#statistics.linksOpened += 1;
        break;
      case "close":
        this.#close(input.asker);
        break;
      case "put":
        this.#enqueue(input);
        break;
      case "get":
        assert(input.address.length === ADDRESS_BYTES, "an address has its length");
        this.#enqueue(input);
        break;
      case "cancel":
        this.#cancel(input.asker, input.request);
        break;
      case "turn":
        this.#isTurnAsked = false;
        this.#turn({ now, unixMs: input.unixMs, fill: input.fill });
        break;
      case "verified":
        this.#puts.verified(input.id, input.isGenuine, now);
        break;
      case "committed":
        this.#puts.committed(input.outcomes, { now, unixMs: input.unixMs });
        break;
      case "looked-up":
        this.#gets.lookedUp(input);
        break;
      case "swept":
        this.#statistics.swept += input.removed;
        this.#recent.swept(input.unixMs);
        if (input.isBegunAnew === true) this.#recent.clear();
        this.#isSweeping = false;
        this.#sweepAt = input.isDone ? now + this.#limits.sweepMs : now;
        break;
      case "drain":
        this.#isDraining = true;
        break;
      default:
        unreachable(input);
    }
    this.#askForTurn();
  }

  timeout(now: Instant): void {
    this.#gets.timeout(now);
    this.#puts.timeout(now);
    this.#queue.resume(now);
    if (now >= this.#sweepAt && !this.#isSweeping) {
      this.#isSweeping = true;
      this.#effects.push({ kind: "sweep", limit: this.#limits.sweepStep });
    }
    this.#askForTurn();
  }

  poll(): MapEffect | undefined {
    return this.#effects.shift();
  }

  deadline(): Instant {
    const sweepAt = this.#isSweeping ? Number.POSITIVE_INFINITY : this.#sweepAt;
    const { deadline } = this.#puts;
    return Math.min(this.#gets.deadline(), deadline, this.#queue.deadline(), sweepAt);
  }

  #push(effect: MapEffect): void {
    // An asker may leave while its put is on its way to the store: nobody is left to answer.
    if (effect.kind === "answer" && !this.#askers.has(effect.asker)) return;
    this.#effects.push(effect);
  }

  #askForTurn(): void {
    if (this.#isTurnAsked || !this.#queue.isReady(!this.#puts.isFull)) return;
    this.#isTurnAsked = true;
    this.#effects.push({ kind: "turn" });
  }

  #close(asker: AskerId): void {
    this.#gets.closeAsker(asker);
    this.#queue.close(asker);
    this.#congested.delete(asker);
    this.#askers.delete(asker);
  }

  #enqueue(request: QueuedRequest): void {
    const { kind, asker } = request;
    assert(this.#askers.has(asker), "only who was let in asks");
    if (this.#isDraining || !this.#queue.push(request)) {
      if (kind === "put") this.#statistics.putsBusy += 1;
      else this.#statistics.getsBusy += 1;
      this.#push({ kind: "answer", asker, request: request.request, answer: { kind: "busy" } });
    } else if (!this.#queue.hasRoom(asker)) {
      this.#congested.add(asker);
    }
  }

  #cancel(asker: AskerId, request: RequestId): void {
    const isCancelled = this.#gets.cancel(asker, request) || this.#queue.cancel(asker, request);
    if (!isCancelled) return;
    this.#statistics.getsCancelled += 1;
    this.#relieve(asker);
  }

  #turn(moment: PutMoment): void {
    for (let cost = 0; cost < TURN_COST_MAX; ) {
      const request = this.#queue.take(moment.now, !this.#puts.isFull);
      if (request === undefined) break;
      cost += COSTS[this.#serve(request, moment)];
      if (request.kind === "put") cost += Math.floor(request.record.length / BYTES_PER_COST);
      this.#relieve(request.asker);
    }
    this.#puts.commit(moment.now);
  }

  #serve(request: QueuedRequest, moment: PutMoment): Effort {
    const asker = this.#askers.get(request.asker);
    assert(asker !== undefined, "the queue of an asker goes with it");
    if (request.kind === "get") return this.#gets.serve(request, asker, moment);
    return this.#puts.serve(request, asker, moment);
  }

  #relieve(asker: AskerId): void {
    if (!this.#congested.has(asker)) return;
    const length = this.#queue.lengthOf(asker);
    if (length > this.#limits.queuedPerLinkMax / 2) return;
    // Others may have taken the room; of who has nothing here nothing will tell that it is back.
    if (length > 0 && !this.#queue.hasRoom(asker)) return;
    this.#congested.delete(asker);
    this.#effects.push({ kind: "ready", asker });
  }
}
