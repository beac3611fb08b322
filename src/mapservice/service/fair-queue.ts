import type { Instant } from "../../base/index.ts";
import { TokenBucket } from "../../retx/index.ts";
import type { MapLimits } from "./limits.ts";
import type { AskerId, QueuedRequest, RequestId } from "./protocol.ts";

interface Lane {
  readonly asker: AskerId;
  readonly queue: QueuedRequest[];
  readonly requests: TokenBucket;
  readonly bytes: TokenBucket;
  /** When its buckets allow its next request; in the past while they do. */
  resumeAt: Instant;
  isReady: boolean;
}

/**
 * The queues of all askers, served in turn: one with a thousand requests waits as long for the next
 * one as another with one. Token buckets make an asker wait; they refuse nothing.
 */
export class FairQueue {
  readonly #limits: MapLimits;
  readonly #lanes = new Map<AskerId, Lane>();
  /** Askers that have requests and may go on, in the order of their turns; each of them once. */
  #ready: Lane[] = [];
  readonly #throttled = new Set<Lane>();
  #bytes = 0;

  constructor(limits: MapLimits) {
    this.#limits = limits;
  }

  /** True while a request could be taken right now. */
  get isReady(): boolean {
    return this.#ready.length > 0;
  }

  get isEmpty(): boolean {
    return this.#ready.length + this.#throttled.size === 0;
  }

  open(asker: AskerId, now: Instant): void {
    const { requestsBurst, requestsPerSecond, bytesBurst, bytesPerSecond } = this.#limits;
    this.#lanes.set(asker, {
      asker,
      queue: [],
      requests: new TokenBucket({ capacity: requestsBurst, perSecond: requestsPerSecond }, now),
      bytes: new TokenBucket({ capacity: bytesBurst, perSecond: bytesPerSecond }, now),
      resumeAt: now,
      isReady: false,
    });
  }

  close(asker: AskerId): void {
    const lane = this.#lanes.get(asker);
    if (lane === undefined) return;
    for (const request of lane.queue) this.#bytes -= sizeOf(request);
    this.#lanes.delete(asker);
    if (lane.isReady) this.#ready = this.#ready.filter((other) => other !== lane);
    this.#throttled.delete(lane);
  }

  /** How many requests of the asker wait. */
  lengthOf(asker: AskerId): number {
    return this.#lanes.get(asker)?.queue.length ?? 0;
  }

  /** False when the asker's queue, or that of all askers, is full. */
  push(request: QueuedRequest): boolean {
    const lane = this.#lanes.get(request.asker);
    const { queuedPerLinkMax, queuedBytesMax } = this.#limits;
    if (lane === undefined || lane.queue.length >= queuedPerLinkMax) return false;
    if (this.#bytes + sizeOf(request) > queuedBytesMax) return false;
    this.#bytes += sizeOf(request);
    lane.queue.push(request);
    if (!lane.isReady && !this.#throttled.has(lane)) this.#makeReady(lane);
    return true;
  }

  /** Takes a get back that was not served yet; false when it is not here. */
  cancel(asker: AskerId, request: RequestId): boolean {
    const queue = this.#lanes.get(asker)?.queue ?? [];
    const at = queue.findIndex((queued) => queued.request === request && queued.kind === "get");
    const [cancelled] = at === -1 ? [] : queue.splice(at, 1);
    if (cancelled === undefined) return false;
    this.#bytes -= sizeOf(cancelled);
    return true;
  }

  /** The next request whose asker may go on now. */
  take(now: Instant): QueuedRequest | undefined {
    for (let lane = this.#ready[0]; lane !== undefined; lane = this.#ready[0]) {
      const next = lane.queue[0];
      if (next === undefined) {
        this.#leaveTurn();
        continue;
      }
      const size = sizeOf(next);
      const waitMs = Math.max(lane.requests.waitMs(1, now), lane.bytes.waitMs(size, now));
      if (waitMs > 0) {
        lane.resumeAt = now + waitMs;
        this.#leaveTurn();
        this.#throttled.add(lane);
        continue;
      }
      lane.requests.take(1, now);
      lane.bytes.take(size, now);
      lane.queue.shift();
      this.#bytes -= size;
      this.#passTurn();
      return next;
    }
    return undefined;
  }

  /** The other askers come first now; of one alone there is nothing to move. */
  #passTurn(): void {
    const isWaiting = this.#ready[0]?.queue[0] !== undefined;
    if (isWaiting && this.#ready.length === 1) return;
    const lane = this.#leaveTurn();
    if (isWaiting && lane !== undefined) this.#makeReady(lane);
  }

  #makeReady(lane: Lane): void {
    lane.isReady = true;
    this.#ready.push(lane);
  }

  /** Takes the asker out whose turn it is. */
  #leaveTurn(): Lane | undefined {
    const lane = this.#ready.shift();
    if (lane !== undefined) lane.isReady = false;
    return lane;
  }

  /** When the first throttled asker may go on. */
  deadline(): Instant {
    let first = Number.POSITIVE_INFINITY;
    for (const lane of this.#throttled) first = Math.min(first, lane.resumeAt);
    return first;
  }

  /** Lets the askers go on whose buckets allow it again. */
  resume(now: Instant): void {
    for (const lane of this.#throttled) {
      if (lane.resumeAt > now) continue;
      this.#throttled.delete(lane);
      this.#makeReady(lane);
    }
  }
}

function sizeOf(request: QueuedRequest): number {
  return request.kind === "get" ? request.address.length : request.record.length;
}
