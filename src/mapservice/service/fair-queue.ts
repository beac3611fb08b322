import type { Instant } from "../../base/index.ts";
import { TokenBucket } from "../../retx/index.ts";
import type { MapLimits } from "./limits.ts";
import type { AskerId, QueuedRequest, RequestId } from "./protocol.ts";

/** What the askers of one source have in their queues. */
interface SourceLoad {
  bytes: number;
  askers: number;
}

/** The requests of one kind of one asker. */
interface Line {
  readonly lane: Lane;
  readonly queue: QueuedRequest[];
  /** When the buckets allow its next request; in the past while they do. */
  resumeAt: Instant;
  isReady: boolean;
  /** Its place among all that are ready, of either kind. */
  turn: number;
}

/** What one asker has in its queues. */
class Lane {
  readonly source: string;
  readonly load: SourceLoad;
  readonly requests: TokenBucket;
  readonly bytes: TokenBucket;
  readonly puts: Line;
  readonly gets: Line;
  queuedBytes = 0;

  constructor(asker: Pick<Lane, "source" | "load">, limits: MapLimits, now: Instant) {
    const { requestsBurst, requestsPerSecond, bytesBurst, bytesPerSecond } = limits;
    this.source = asker.source;
    this.load = asker.load;
    this.requests = new TokenBucket({ capacity: requestsBurst, perSecond: requestsPerSecond }, now);
    this.bytes = new TokenBucket({ capacity: bytesBurst, perSecond: bytesPerSecond }, now);
    this.puts = { lane: this, queue: [], resumeAt: now, isReady: false, turn: 0 };
    this.gets = { lane: this, queue: [], resumeAt: now, isReady: false, turn: 0 };
  }

  get length(): number {
    return this.puts.queue.length + this.gets.queue.length;
  }
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
  readonly #recordBytesMax: number;
  readonly #lanes = new Map<AskerId, Lane>();
  readonly #loads = new Map<string, SourceLoad>();
  /** Lines that have requests and may go on, in the order of their turns; each of them once. */
  #puts: Line[] = [];
  #gets: Line[] = [];
  readonly #throttled = new Set<Line>();
  /** When the first of these may go on, or one that has left by now. */
  #resumesAt: Instant = Number.POSITIVE_INFINITY;
  #turns = 0;
  #length = 0;
  #bytes = 0;

  /** @param recordBytesMax the longest record of a put that is worth anything */
  constructor(limits: MapLimits, recordBytesMax: number) {
    this.#limits = limits;
    this.#recordBytesMax = recordBytesMax;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** True while a request could be taken right now. */
  isReady(takesPuts: boolean): boolean {
    return this.#gets.length > 0 || (takesPuts && this.#puts.length > 0);
  }

  open(asker: AskerId, source: string, now: Instant): void {
    const load = this.#loads.get(source) ?? { bytes: 0, askers: 0 };
    load.askers += 1;
    this.#loads.set(source, load);
    this.#lanes.set(asker, new Lane({ source, load }, this.#limits, now));
  }

  close(asker: AskerId): void {
    const lane = this.#lanes.get(asker);
    if (lane === undefined) return;
    this.#lanes.delete(asker);
    this.#length -= lane.length;
    this.#count(lane, -lane.queuedBytes);
    lane.load.askers -= 1;
    if (lane.load.askers === 0) this.#loads.delete(lane.source);
    if (lane.puts.isReady) this.#puts = this.#puts.filter((line) => line !== lane.puts);
    if (lane.gets.isReady) this.#gets = this.#gets.filter((line) => line !== lane.gets);
    this.#throttled.delete(lane.puts);
    this.#throttled.delete(lane.gets);
  }

  /** How many requests of the asker wait. */
  lengthOf(asker: AskerId): number {
    return this.#lanes.get(asker)?.length ?? 0;
  }

  /** Whether one more of the asker's requests would be taken, whatever it is. */
  hasRoom(asker: AskerId): boolean {
    const lane = this.#lanes.get(asker);
    if (lane === undefined || lane.length >= this.#limits.queuedPerLinkMax) return false;
    return this.#recordBytesMax <= this.#bytesLeft(lane);
  }

  /** False when the asker's queue is full, or its share of that of all askers. */
  push(request: QueuedRequest): boolean {
    const lane = this.#lanes.get(request.asker);
    if (lane === undefined || lane.length >= this.#limits.queuedPerLinkMax) return false;
    const size = sizeOf(request);
    if (size > this.#bytesLeft(lane)) return false;
    this.#length += 1;
    this.#count(lane, size);
    const line = request.kind === "put" ? lane.puts : lane.gets;
    line.queue.push(request);
    if (!line.isReady && !this.#throttled.has(line)) this.#makeReady(line);
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
      const ready = this.#next(takesPuts);
      const line = ready[0];
      if (line === undefined) return undefined;
      const { lane } = line;
      const next = line.queue[0];
      if (next === undefined) {
        this.#leaveTurn(ready);
        continue;
      }
      const size = sizeOf(next);
      const waitMs = Math.max(lane.requests.waitMs(1, now), lane.bytes.waitMs(size, now));
      if (waitMs > 0) {
        this.#leaveTurn(ready);
        this.#throttle(line, now + waitMs);
        continue;
      }
      lane.requests.take(1, now);
      lane.bytes.take(size, now);
      line.queue.shift();
      this.#length -= 1;
      this.#count(lane, -size);
      this.#passTurn(ready, line);
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
    const lines = [...this.#throttled];
    this.#throttled.clear();
    this.#resumesAt = Number.POSITIVE_INFINITY;
    for (const line of lines) {
      if (line.resumeAt > now) this.#throttle(line, line.resumeAt);
      else this.#makeReady(line);
    }
  }

  /** Those among whom the next turn is: of puts and gets those whose first has waited longer. */
  #next(takesPuts: boolean): Line[] {
    const [put, get] = [this.#puts[0], this.#gets[0]];
    if (!takesPuts || put === undefined) return this.#gets;
    return get !== undefined && get.turn < put.turn ? this.#gets : this.#puts;
  }

  /** The other askers come first now; of one alone there is nothing to move. */
  #passTurn(ready: Line[], line: Line): void {
    line.turn = ++this.#turns;
    if (line.queue.length === 0) this.#leaveTurn(ready);
    else if (ready.length > 1) {
      ready.shift();
      ready.push(line);
    }
  }

  #makeReady(line: Line): void {
    line.isReady = true;
    line.turn = ++this.#turns;
    if (line === line.lane.puts) this.#puts.push(line);
    else this.#gets.push(line);
  }

  /** Takes the one out whose turn it is. */
  #leaveTurn(ready: Line[]): void {
    const line = ready.shift();
    if (line !== undefined) line.isReady = false;
  }

  #throttle(line: Line, until: Instant): void {
    line.resumeAt = until;
    this.#throttled.add(line);
    this.#resumesAt = Math.min(this.#resumesAt, until);
  }

  #bytesLeft(lane: Lane): number {
    return this.#limits.queuedBytesMax - this.#bytes - lane.load.bytes - lane.queuedBytes;
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
