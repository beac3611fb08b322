import { Heap, type Instant, NumberMap } from "../../base/index.ts";
import { TimerQueue } from "../../retx/index.ts";
import type { FrameKeys } from "../frame/frame-keys.ts";
import type { Exchange, Purpose, Request } from "./exchange.ts";
import { QUIET_ASKS, QuietTimer, type QuietTimerOptions } from "./quiet-timer.ts";

/** Gets that wait beyond the known frames when a chain of data begins to be read. */
export const AHEAD_START = 16;

/** One index that is asked for and has not arrived. */
interface Place {
  readonly index: number;
  /** Open requests, oldest first. */
  requests: Request[];
  /** Waits in the queue of places to ask again. */
  isQueued: boolean;
  asks: number;
  askedAt: Instant;
}

/** How far and how often a chain is read. */
export interface ChainReaderOptions extends QuietTimerOptions {
  readonly purpose: Extract<Purpose, "data-get" | "ack-get">;
  /** Gets that wait beyond the last frame that is known to exist, at the start and at the most. */
  readonly aheadMin: number;
  readonly aheadMax: () => number;
  /** How many more of them each frame that arrives brings. */
  readonly aheadGrowth: number;
  /** How far beyond the lowest missing place fresh ones come first, if not as far as is usual. */
  readonly freshFirstPlaces?: number;
}

/**
 * Open requests for one place; a further one cancels the oldest. At four questions per RTO each of
 * them is given four RTOs: one that is cancelled too early is never answered.
 */
const REQUESTS_PER_PLACE = 16;

/** How many waiting gets the next frame of a quiet chain has, so that a lost one is covered. */
const QUIET_REQUESTS = 3;

/** Places that may pause before they are asked again; others wait for the quiet question. */
const PAUSED_MAX = 4_096;

/** How far beyond the lowest missing place fresh ones come first when gets are rationed. */
const FRESH_FIRST_PLACES = 30;

/** How far beyond the known frames they come first without exception. */
const AHEAD_SURE = 8;

/** Gets that wait beyond the known frames once their wait has run out in vain. */
const AHEAD_QUIET = 2;

/**
 * Questions for one place before its patience begins to double: up to so many RTOs, or to the gap
 * of a quiet chain when that is longer. The writer may have crashed before it put the frame.
 */
const IMPATIENT_ASKS = 32;
const PATIENCE_MAX = 8;

/**
 * One unlucky frame must not hold all the others up: after so many questions a place is asked for
 * more often than once per RTO, unless gets are rationed. With a fifth of everything lost, one
 * frame in 2,000 would otherwise take eight round trips, and the whole window waits for each.
 */
const HEDGES: readonly { readonly afterAsks: number; readonly patience: number }[] = [
  { afterAsks: 3, patience: 0.25 },
  { afterAsks: 1, patience: 0.5 },
];

/**
 * Decides which frame of a chain to ask for next.
 *
 * - A place that was never asked for, up to `ahead` beyond the last frame known to exist, gets a
 *   waiting get.
 * - A place below a frame that has been seen is likely there: its get is late after the RTO, and it
 *   is asked for again.
 * - The lowest missing place of a quiet chain is asked for again at growing gaps.
 */
export class ChainReader {
  readonly #exchange: Exchange;
  readonly #keys: FrameKeys;
  readonly #options: ChainReaderOptions;
  readonly #places = new NumberMap<Place>();
  readonly #again = new Heap<Place>((a, b) => a.index < b.index);
  readonly #paused = new TimerQueue<Place>({ capacity: PAUSED_MAX });
  readonly #arrived = new NumberMap<true>();
  #base: number;
  #fresh: number;
  #seen: number;
  #ahead: number;
  #isOpen = true;
  #turns = 0;
  readonly #quiet: QuietTimer;

  constructor(exchange: Exchange, keys: FrameKeys, base: number, options: ChainReaderOptions) {
    this.#exchange = exchange;
    this.#keys = keys;
    this.#options = options;
    this.#base = base;
    this.#fresh = base;
    this.#seen = base - 1;
    this.#ahead = options.aheadMin;
    this.#quiet = new QuietTimer(exchange, options);
  }

  /** The lowest index that has neither arrived nor been passed. */
  get base(): number {
    return this.#base;
  }

  /** The highest index that is known to exist. */
  get seen(): number {
    return this.#seen;
  }

  /** How often the lowest place was asked for in vain, though later ones are known to exist. */
  get asksInVain(): number {
    return this.#base < this.#seen ? (this.#places.get(this.#base)?.asks ?? 0) : 0;
  }

  /** Whether the next frame of a chain that has no gap was asked for many times in vain. */
  get isQuiet(): boolean {
    return this.#quiet.isQuiet;
  }

  /** Something may be there soon: the questions of a quiet chain come close together again. */
  expect(now: Instant): void {
    if (this.isQuiet) this.#quiet.begin(now);
  }

  /** Whether it asks at all. While closed, open requests stay and nothing new is asked. */
  set isOpen(open: boolean) {
    this.#isOpen = open;
  }

  /** A frame has arrived. */
  arrived(index: number, now: Instant): void {
    const place = this.#places.get(index);
    this.#dropPlace(index);
    if (place !== undefined) this.#reachFurther(this.#options.aheadGrowth);
    this.#noteSeen(index, now);
    if (index >= this.#base) this.#arrived.set(index, true);
    this.#moveOn(now);
  }

  /** Gives up on everything below `base` (a later ack says it all; a multicast reader skips). */
  passTo(base: number, now: Instant): void {
    for (; this.#base < base; this.#base++) {
      this.#dropPlace(this.#base);
      this.#arrived.delete(this.#base);
    }
    this.#seen = Math.max(this.#seen, base - 1);
    this.#moveOn(now);
  }

  /** A get of this chain became late: its place is asked for again. */
  late(request: Request): void {
    const place = this.#places.get(request.index);
    // Beyond what has been seen, a get that is not answered is waiting, as it should.
    if (place === undefined || place.index >= this.#seen) return;
    // Only the newest question is followed by another one: each of them has its own timer.
    if (request === place.requests.at(-1)) this.#queueAgain(place);
  }

  /** A get failed, or found nothing within its wait. */
  failed(request: Request, now: Instant): void {
    const place = this.#places.get(request.index);
    if (place === undefined) return;
    keepOpenOnly(place);
    if (place.requests.length > 0) return;
    if (request.index === this.#base && request.index >= this.#seen) this.#quiet.arm(now);
    else if (this.#options.aheadGrowth > 0 && request.index > this.#seen + AHEAD_QUIET) {
      // Nothing waits this far ahead any more: it is asked for when it comes into reach.
      this.#ahead = AHEAD_QUIET;
      this.#dropPlace(request.index);
      this.#fresh = Math.min(this.#fresh, request.index);
    } else this.#pause(place, now);
  }

  /** A cell arrived that cannot be used: it is asked for again, after a pause. */
  spoiled(index: number, now: Instant): void {
    this.#exchange.counts.unopened += 1;
    const place = this.#places.get(index);
    if (place === undefined) return;
    keepOpenOnly(place);
    this.#pause(place, now);
  }

  /** Asks for what may be asked for; `limit` is the first index that must not be. */
  pump(now: Instant, limit: number): void {
    this.#endPauses(now);
    while (this.#isOpen && this.#exchange.mayGet(now)) {
      if (!this.#askOne(now, limit)) return;
    }
  }

  /**
   * Asks only for what is likely to be there: the frames after those that come in just now, and for
   * what was to be asked for long ago, lest others leave no place for it in a small window.
   */
  pumpLikely(now: Instant, limit: number): void {
    this.#endPauses(now);
    while (this.#isOpen && this.#exchange.mayGet(now)) {
      const isClose = this.#quiet.asks === 0 && this.#fresh <= this.#seen + AHEAD_SURE;
      const isLikely = this.#hasAgain() || (isClose && this.#hasFresh(limit));
      if (!(isLikely || this.#quiet.isOverdue(now)) || !this.#askOne(now, limit)) return;
    }
  }

  /** When `pump` may have something to do. */
  deadline(now: Instant, limit: number): Instant {
    if (!this.#isOpen) return Number.POSITIVE_INFINITY;
    const readyAt = this.#exchange.readyAt("get", now);
    if (this.#hasAgain() || this.#hasFresh(limit)) return readyAt;
    return Math.max(Math.min(this.#quiet.deadline, this.#paused.deadline()), readyAt);
  }

  #askOne(now: Instant, limit: number): boolean {
    const freshFirst = this.#exchange.isPaced && this.#isFreshFirst();
    if (freshFirst && this.#askFresh(now, limit)) return true;
    if (this.#hasAgain()) {
      const place = this.#again.pop() as Place;
      place.isQueued = false;
      this.#ask(place, now);
      return true;
    }
    if (!freshFirst && this.#askFresh(now, limit)) return true;
    return this.#askQuiet(now);
  }

  /**
   * With a scarce budget the places that were never asked for come first, as long as selective acks
   * reach them: by the time the others are asked for again, the writer has mended them. Far beyond
   * the known frames, every fourth question goes to the lowest place, lest its get was lost.
   */
  #isFreshFirst(): boolean {
    const { freshFirstPlaces = FRESH_FIRST_PLACES } = this.#options;
    if (this.#fresh >= this.#base + freshFirstPlaces) return false;
    this.#turns += 1;
    return this.#fresh - this.#seen <= AHEAD_SURE || this.#turns % 4 !== 0;
  }

  #askFresh(now: Instant, limit: number): boolean {
    if (!this.#hasFresh(limit)) return false;
    const index = this.#fresh;
    this.#fresh += 1;
    const place: Place = { index, requests: [], isQueued: false, asks: 0, askedAt: now };
    this.#places.set(index, place);
    this.#ask(place, now);
    if (index === this.#base) this.#quiet.arm(now);
    return true;
  }

  #hasFresh(limit: number): boolean {
    while (this.#arrived.has(this.#fresh) || this.#places.has(this.#fresh)) this.#fresh += 1;
    return this.#fresh < Math.min(limit, this.#seen + 1 + this.#ahead);
  }

  #hasAgain(): boolean {
    for (let place = this.#again.peek(); place !== undefined; place = this.#again.peek()) {
      if (this.#places.get(place.index) === place && place.isQueued) return true;
      this.#again.pop();
    }
    return false;
  }

  #askQuiet(now: Instant): boolean {
    if (now < this.#quiet.deadline) return false;
    const place = this.#longestUnasked();
    if (place === undefined) {
      this.#quiet.disarm();
      return false;
    }
    this.#ask(place, now);
    this.#quiet.asked(now);
    const { quietPlaces } = this.#options;
    if (quietPlaces > 1 && this.#quiet.asks % quietPlaces === 0) this.#reachFurther(1);
    return true;
  }

  /** Every other question goes to any of the places that wait, lest the far ones be forgotten. */
  #longestUnasked(): Place | undefined {
    const { quietPlaces } = this.#options;
    const isFar = quietPlaces > 1 && this.#quiet.asks % 2 === 1;
    const reach = this.#base + (isFar ? this.#ahead : quietPlaces);
    let longest: Place | undefined;
    for (let index = this.#base; index < reach; index++) {
      const place = this.#places.get(index);
      if (place === undefined) continue;
      if (longest === undefined || place.askedAt < longest.askedAt) longest = place;
    }
    return longest;
  }

  #ask(place: Place, now: Instant): void {
    place.asks += 1;
    place.askedAt = now;
    keepOpenOnly(place);
    const isLikelyThere = place.index < this.#seen;
    const isSparse = !isLikelyThere && !this.#exchange.isFeeling;
    const requestsMax = isSparse ? QUIET_REQUESTS : REQUESTS_PER_PLACE;
    while (place.requests.length >= requestsMax) this.#cancelOne(place, now);
    const { frameId } = this.#keys.at(place.index);
    const options = { now, isLikelyThere, patience: isLikelyThere ? this.#patience(place) : 1 };
    place.requests.push(this.#exchange.get(this.#options.purpose, place.index, frameId, options));
  }

  /**
   * The oldest one is kept until its answer must have come: where all are cancelled after a few
   * short gaps, none is ever answered, and a Map that says nothing seems out of reach.
   */
  #cancelOne({ requests }: Place, now: Instant): void {
    const isKept = now < this.#exchange.answeredBy(requests[0] as Request);
    const [cancelled] = requests.splice(isKept ? 1 : 0, 1);
    if (cancelled !== undefined) this.#exchange.cancel(cancelled);
  }

  /** How many RTOs the next question for a place may take. */
  #patience(place: Place): number {
    const isLikelyThere = place.index < this.#seen;
    const extra = place.asks - (isLikelyThere ? IMPATIENT_ASKS : QUIET_ASKS);
    if (extra > 0) {
      const quiet = this.#options.quietAskMsMax / this.#exchange.rto.rtoMs();
      return Math.min(2 ** extra, Math.max(PATIENCE_MAX, quiet));
    }
    if (!isLikelyThere) return 1;
    if (this.#exchange.isPaced) return 1;
    return HEDGES.find(({ afterAsks }) => place.asks > afterAsks)?.patience ?? 1;
  }

  #noteSeen(index: number, now: Instant): void {
    const before = this.#seen;
    if (index <= before) return;
    this.#seen = index;
    for (let below = Math.max(before, this.#base); below < index; below++) {
      const place = this.#places.get(below);
      if (place === undefined) continue;
      keepOpenOnly(place);
      if (place.requests.length === 0) this.#queueAgain(place);
      for (const request of place.requests) this.#exchange.expect(request, now);
    }
  }

  /** Asks for a place again, but not before it could have changed. */
  #pause(place: Place, now: Instant): void {
    if (place.isQueued || this.#paused.isFull) return;
    place.isQueued = true;
    this.#paused.push(now + this.#patience(place) * this.#exchange.rto.drawMs(), place);
  }

  #endPauses(now: Instant): void {
    for (let place = this.#paused.due(now); place; place = this.#paused.due(now)) {
      this.#again.push(place);
    }
  }

  #queueAgain(place: Place): void {
    if (place.isQueued) return;
    place.isQueued = true;
    this.#again.push(place);
  }

  #reachFurther(places: number): void {
    this.#ahead = Math.min(this.#options.aheadMax(), this.#ahead + places);
  }

  #dropPlace(index: number): void {
    const place = this.#places.get(index);
    if (place === undefined) return;
    this.#places.delete(index);
    for (const request of place.requests) this.#exchange.cancel(request);
  }

  /**
   * Moves the base over everything that has arrived. The chain is not quiet: the questions come
   * close together again.
   */
  #moveOn(now: Instant): void {
    while (this.#arrived.delete(this.#base)) this.#base += 1;
    this.#fresh = Math.max(this.#fresh, this.#base);
    const place = this.#places.get(this.#base);
    if (place !== undefined && !place.requests.some((open) => open.isOpen)) {
      this.#queueAgain(place);
    }
    this.#quiet.begin(now);
  }
}

function keepOpenOnly(place: Place): void {
  place.requests = place.requests.filter((request) => request.isOpen);
}
