import type { Instant } from "../../base/index.ts";
import { TokenBucket } from "../../retx/index.ts";
import type { MapLimits } from "./limits.ts";
import type { AskerId, QueuedRequest, RequestId } from "./protocol.ts";

/** What the askers of one source have in their queues. */
interface SourceLoad {
  bytes: number;
  askers: number;
}

interface Lane {
  readonly asker: AskerId;
  readonly source: string;
  readonly load: SourceLoad;
  readonly requests: TokenBucket;
  readonly bytes: TokenBucket;
  readonly puts: Line;
  readonly gets: Line;
  queuedBytes: number;
}

/** The requests of one kind in a lane. */
interface Line {
  readonly queue: QueuedRequest[];
  /** When the buckets allow its next request; in the past while they do. */
  resumeAt: Instant;
  isReady: boolean;
  /** Its place among all that are ready, of either kind. */
  turn: number;
}

/** A line that has its turns, and whose it is. */
interface Ready {
  readonly lane: Lane;
  readonly line: Line;
}

/**
 * The queues of all askers, served in turn: one with a thousand requests waits as long for the next
 * one as another with one. Token buckets make an asker wait; they refuse nothing.
 *
 * Puts and gets have turns of their own, so that gets go on while no puts are taken. The bytes of
 * all queues are shared: an asker may have as many as would be free if its source had twice what it
 * has. One alone has a third; of any number that take all they can get, each comes to have as much,
 * wherever they are, and who comes next finds some.
 */
export class FairQueue {
  readonly #limits: MapLimits;
  readonly #lanes = new Map<AskerId, Lane>();
  readonly #loads = new Map<string, SourceLoad>();
  /** Lines that have requests and may go on, in the order of their turns; each of them once. */
  #puts: Ready[] = [];
  #gets: Ready[] = [];
  readonly #throttled = new Set<Ready>();
  /** When the first of these may go on, or one that has left by now. */
  #resumesAt: Instant = Number.POSITIVE_INFINITY;
  #turns = 0;
  #length = 0;
  #bytes = 0;

  constructor(limits: MapLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** True while a request could be taken right now. */
  isReady(takesPuts: boolean): boolean {
    return this.#gets.length > 0 || (takesPuts && this.#puts.length > 0);
  }

  open(asker: AskerId, source: string, now: Instant): void {
    const { requestsBurst, requestsPerSecond, bytesBurst, bytesPerSecond } = this.#limits;
    const load = this.#loads.get(source) ?? { bytes: 0, askers: 0 };
    load.askers += 1;
    this.#loads.set(source, load);
    this.#lanes.set(asker, {
      asker,
      source,
      load,
      requests: new TokenBucket({ capacity: requestsBurst, perSecond: requestsPerSecond }, now),
      bytes: new TokenBucket({ capacity: bytesBurst, perSecond: bytesPerSecond }, now),
      puts: { queue: [], resumeAt: now, isReady: false, turn: 0 },
      gets: { queue: [], resumeAt: now, isReady: false, turn: 0 },
      queuedBytes: 0,
    });
  }

  close(asker: AskerId): void {
    const lane = this.#lanes.get(asker);
    if (lane === undefined) return;
    this.#lanes.delete(asker);
    this.#length -= lane.puts.queue.length + lane.gets.queue.length;
    this.#count(lane, -lane.queuedBytes);
    lane.load.askers -= 1;
    if (lane.load.askers === 0) this.#loads.delete(lane.source);
    const isOther = (ready: Ready): boolean => ready.lane !== lane;
    if (lane.puts.isReady) this.#puts = this.#puts.filter(isOther);
    if (lane.gets.isReady) this.#gets = this.#gets.filter(isOther);
    for (const ready of this.#throttled) if (!isOther(ready)) this.#throttled.delete(ready);
  }

  /** How many requests of the asker wait. */
  lengthOf(asker: AskerId): number {
    const lane = this.#lanes.get(asker);
    return lane === undefined ? 0 : lane.puts.queue.length + lane.gets.queue.length;
  }

  /** False when the asker's queue is full, or its share of that of all askers. */
  push(request: QueuedRequest): boolean {
    const lane = this.#lanes.get(request.asker);
    const { queuedPerLinkMax, queuedBytesMax } = this.#limits;
    if (lane === undefined || this.lengthOf(request.asker) >= queuedPerLinkMax) return false;
    const size = sizeOf(request);
    const free = queuedBytesMax - this.#bytes;
    if (lane.queuedBytes + size > free - lane.load.bytes) return false;
    this.#length += 1;
    this.#count(lane, size);
    const line = request.kind === "put" ? lane.puts : lane.gets;
    line.queue.push(request);
    // A line that is throttled is ready in its own way: it has its time to go on.
    if (!line.isReady) this.#makeReady({ lane, line });
    return true;
  }

  /** Takes a get back that was not served yet; false when it is not here. */
  cancel(asker: AskerId, request: RequestId): boolean {
    const lane = this.#lanes.get(asker);
    const queue = lane?.gets.queue ?? [];
    const at = queue.findIndex((queued) => queued.request === request);
    const [cancelled] = at === -1 ? [] : queue.splice(at, 1);
    if (lane === undefined || cancelled === undefined) return false;
    this.#length -= 1;
    this.#count(lane, -sizeOf(cancelled));
    return true;
  }

  /** The next request whose asker may go on now; a get unless puts are taken. */
  take(now: Instant, takesPuts: boolean): QueuedRequest | undefined {
    for (;;) {
      const ready = this.#first(takesPuts);
      const first = ready[0];
      if (first === undefined) return undefined;
      const { lane, line } = first;
      const next = line.queue[0];
      if (next === undefined) {
        ready.shift();
        line.isReady = false;
        continue;
      }
      const size = sizeOf(next);
      const waitMs = Math.max(lane.requests.waitMs(1, now), lane.bytes.waitMs(size, now));
      if (waitMs > 0) {
        line.resumeAt = now + waitMs;
        ready.shift();
        this.#throttled.add(first);
        this.#resumesAt = Math.min(this.#resumesAt, line.resumeAt);
        continue;
      }
      lane.requests.take(1, now);
      lane.bytes.take(size, now);
      line.queue.shift();
      this.#length -= 1;
      this.#count(lane, -size);
      this.#passTurn(ready, first);
      return next;
    }
  }

  /** When the first throttled asker may go on. */
  deadline(): Instant {
    return this.#resumesAt;
  }

  /** Lets the askers go on whose buckets allow it again. */
  resume(now: Instant): void {
    if (now < this.#resumesAt) return;
    this.#resumesAt = Number.POSITIVE_INFINITY;
    for (const ready of this.#throttled) {
      const { resumeAt } = ready.line;
      if (resumeAt > now) {
        this.#resumesAt = Math.min(this.#resumesAt, resumeAt);
        continue;
      }
      this.#throttled.delete(ready);
      this.#makeReady(ready);
    }
  }

  /** Those among whom the next turn is: of puts and gets those whose first has waited longer. */
  #first(takesPuts: boolean): Ready[] {
    const [put, get] = [this.#puts[0], this.#gets[0]];
    if (!takesPuts || put === undefined) return this.#gets;
    return get !== undefined && get.line.turn < put.line.turn ? this.#gets : this.#puts;
  }

  /** The other askers come first now; of one alone there is nothing to move. */
  #passTurn(ready: Ready[], first: Ready): void {
    const { line } = first;
    line.turn = ++this.#turns;
    if (line.queue.length === 0) {
      ready.shift();
      line.isReady = false;
    } else if (ready.length > 1) {
      ready.shift();
      ready.push(first);
    }
  }

  #makeReady(ready: Ready): void {
    const { lane, line } = ready;
    line.isReady = true;
    line.turn = ++this.#turns;
    if (line === lane.puts) this.#puts.push(ready);
    else this.#gets.push(ready);
  }

  #count(lane: Lane, bytes: number): void {
    lane.queuedBytes += bytes;
    lane.load.bytes += bytes;
    this.#bytes += bytes;
  }
}

function sizeOf(request: QueuedRequest): number {
  return request.kind === "get" ? request.address.length : request.record.length;
}
