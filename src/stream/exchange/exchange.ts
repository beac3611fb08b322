import { type ErrorCode, type Instant, NumberMap, type Random } from "../../base/index.ts";
import {
  OPEN_PACER,
  type Pacer,
  PoissonPacer,
  RateWindow,
  RTO_DEFAULTS,
  RtoEstimator,
  type TimerHandle,
  TimerQueue,
} from "../../retx/index.ts";
import { type StreamOptions, waitMsOf } from "../options.ts";
import { FailurePauses } from "./failure-pauses.ts";
import type { RequestId, StreamEffect, TransportHints } from "./protocol.ts";
import { REQUESTS_PER_TURN } from "./requests-per-turn.ts";

/** Which part of the core a request belongs to. */
export type Purpose = PutPurpose | GetPurpose;
type PutPurpose = "data-put" | "ack-put";
type GetPurpose = "data-get" | "ack-get" | "scout-get";

/** One put or get that has not been answered. */
export interface Request {
  readonly id: RequestId;
  readonly purpose: Purpose;
  readonly index: number;
  readonly sentAt: Instant;
  /**
   * A late request has given its place in the window back; its answer still counts. A get that
   * waits on an empty place becomes late too: it is parked at the Map, and costs nothing.
   */
  isLate: boolean;
  /** False once it is answered, failed or cancelled. */
  isOpen: boolean;
  timer: TimerHandle | undefined;
  /** How many RTOs it may take. */
  patience: number;
  /** Whether it asks for what is likely there: the time to the answer is a round trip. */
  isLikelyThere: boolean;
  /** Whether its lateness says something about the path. */
  isSample: boolean;
}

/** Whether a request is a put, and not a get. */
export function isPut({ purpose }: Request): boolean {
  return purpose === "data-put" || purpose === "ack-put";
}

/** What is under way is timed anew when the RTO has fallen below this part of what it was. */
const RETIME_BELOW = 0.75;

/** How many timeouts in a row, without a single answer, are taken for loss and not for silence. */
const SILENT_TIMEOUTS_MAX = 3;

/** Puts that may be under way however slow the Map is. */
const PUT_WINDOW_MIN = 16;

/** The same where it refuses some: all that are too many are refused again after each pause. */
const REFUSED_PUTS_MIN = 4;

/**
 * While no round trip is known, one put at a time, and the next get, are repeated this soon, then
 * at doubling gaps: a fast path is found at once, and a slow one pays for a handful of requests.
 */
export const FEELER_MS = 200;

/** How long a parked get may take to bring a frame that is likely there, in RTOs. */
const GRACE_RTOS = 0.125;

/** With some to spare: one that comes after its frame has to look for it, and to copy it. */
const GETS_PER_PUT = 2;

/** Requests that may be open at once, late ones included; the oldest late one is cancelled. */
const OPEN_PER_WINDOW = 8;

/**
 * The requests that are under way to the Map: numbers, window, pace, round trips, lateness.
 *
 * Puts and gets have a window and a pacer each. Both share one RTO estimate, since they go to the
 * same place. Whoever has more to send than fits a turn goes on with the next one.
 */
export class Exchange {
  readonly #options: StreamOptions;
  readonly #effects: StreamEffect[];
  readonly #requests = new NumberMap<Request>();
  readonly #late: TimerQueue<Request>;
  readonly #putPacer: Pacer;
  readonly #getPacer: Pacer;
  readonly #putWindow: RateWindow;
  readonly rto: RtoEstimator;
  #nextId: RequestId = 1;
  /** The longest RTO by which requests that are under way were timed. */
  #timedByMs = Number.POSITIVE_INFINITY;
  #puts = 0;
  #gets = 0;
  #silentTimeouts = 0;
  #lastBackoffAt: Instant = Number.NEGATIVE_INFINITY;
  /** When anything was last heard from the Map. */
  #lastAnswerAt: Instant = Number.NEGATIVE_INFINITY;
  readonly #pauses = new FailurePauses();
  #feeler: Request | undefined;
  #feelerMs = FEELER_MS;
  readonly #requestsPerTurn: number;
  #leftInTurn: number;
  #isTurnAsked = false;
  /** Counted since the start of this core. */
  readonly counts = { puts: 0, gets: 0, answers: 0, timeouts: 0, unopened: 0 };

  constructor(
    options: StreamOptions,
    random: Random,
    effects: StreamEffect[],
    perTurn: number = REQUESTS_PER_TURN,
  ) {
    this.#options = options;
    this.#requestsPerTurn = perTurn;
    this.#leftInTurn = perTurn;
    this.#effects = effects;
    const { window, rtoInitialMs: initialMs, paceMeanMs: meanMs } = options;
    const minMs = Math.min(RTO_DEFAULTS.minMs, initialMs);
    this.rto = new RtoEstimator({ random, initialMs, minMs });
    this.#late = new TimerQueue({ capacity: (OPEN_PER_WINDOW + 2) * window + 64 });
    this.#putWindow = new RateWindow({
      refusedMin: Math.min(REFUSED_PUTS_MIN, window),
      min: Math.min(PUT_WINDOW_MIN, window),
      max: window,
    });
    this.#putPacer = meanMs > 0 ? new PoissonPacer({ meanMs, random }) : OPEN_PACER;
    this.#getPacer = meanMs > 0 ? new PoissonPacer({ meanMs, random }) : OPEN_PACER;
  }

  get isPaced(): boolean {
    return this.#putPacer !== OPEN_PACER;
  }

  /** No more puts are under way than the transport gains by. */
  heed({ putsAtOnce = Number.POSITIVE_INFINITY }: TransportHints): void {
    this.#putWindow.bound = putsAtOnce;
  }

  /** Gets that may wait beyond the known frames, where nothing is paced. */
  get getsAhead(): number {
    return Math.min(GETS_PER_PUT * this.#putWindow.bound, this.#options.window);
  }

  /**
   * When the answer of a get that waits has come, or is lost as far as one can tell: after a round
   * trip while others are answered.
   */
  answeredBy({ sentAt }: Request): Instant {
    const isAlone = this.#lastAnswerAt < sentAt;
    return sentAt + (isAlone ? waitMsOf(this.#options) + RTO_DEFAULTS.maxMs : this.rto.rtoMs());
  }

  mayPut(now: Instant): boolean {
    if (this.#leftInTurn <= 0 || this.#puts >= this.#putWindow.size) return false;
    return now >= this.#pauses.until && this.#putPacer.ready(now);
  }

  mayGet(now: Instant): boolean {
    if (this.#leftInTurn <= 0 || this.#gets >= this.#options.window) return false;
    return now >= this.#pauses.until && this.#getPacer.ready(now);
  }

  /** Asks for another turn when `core` has something due that did not fit this one. */
  endTurn(core: { deadline(): Instant }, now: Instant): void {
    if (this.#leftInTurn > 0 || this.#isTurnAsked || core.deadline() > now) return;
    this.#isTurnAsked = true;
    this.#effects.push({ kind: "turn" });
  }

  /** The turn that was asked for has come. */
  beginTurn(): void {
    this.#leftInTurn = this.#requestsPerTurn;
    this.#isTurnAsked = false;
  }

  /** No round trip is known, and requests are cheap enough to find one. */
  get isFeeling(): boolean {
    return this.rto.meanMs === undefined && !this.isPaced;
  }

  /** When a pacer, or a pause after `busy`, ends for somebody who has something to send. */
  readyAt(side: "put" | "get", now: Instant): Instant {
    if (this.#isTurnAsked) return Number.POSITIVE_INFINITY;
    const isFree =
      side === "put" ? this.#puts < this.#putWindow.size : this.#gets < this.#options.window;
    if (!isFree) return Number.POSITIVE_INFINITY;
    const pacer = side === "put" ? this.#putPacer : this.#getPacer;
    return Math.max(pacer.deadline(), this.#pauses.until, now);
  }

  /** Spends one place of the put budget for a frame that will follow once it is journalled. */
  reservePut(now: Instant): void {
    this.#putPacer.take(now);
    this.#puts += 1;
    this.#leftInTurn -= 1;
  }

  /** Gives back a reservation that is not used. */
  releasePut(): void {
    this.#puts -= 1;
  }

  /** Puts a sealed frame; a place has been reserved. It is late after the RTO. */
  put(purpose: PutPurpose, index: number, sealed: Uint8Array, now: Instant): Request {
    const request = this.#open(purpose, index, now, true);
    if (!this.#feel(request, now)) this.#arm(request, now);
    this.counts.puts += 1;
    this.#effects.push({
      kind: "put",
      request: request.id,
      frameId: sealed.subarray(0, 32),
      cell: sealed.subarray(32),
      ttlSeconds: this.#options.ttlSeconds,
    });
    return request;
  }

  /** Asks for a frame; it is late after `patience` RTOs. */
  get(
    purpose: GetPurpose,
    index: number,
    frameId: Uint8Array,
    options: { now: Instant; isLikelyThere: boolean; patience: number; waitMs?: number },
  ): Request {
    const { now, isLikelyThere, patience } = options;
    this.#getPacer.take(now);
    this.#gets += 1;
    this.#leftInTurn -= 1;
    const request = this.#open(purpose, index, now, isLikelyThere && patience === 1);
    request.isLikelyThere = isLikelyThere;
    this.#arm(request, now, patience);
    this.counts.gets += 1;
    const waitMs = options.waitMs ?? waitMsOf(this.#options);
    this.#effects.push({ kind: "get", request: request.id, frameId, waitMs });
    return request;
  }

  /** The answer to a parked get is due now: it becomes late a second time, after a grace. */
  expect(request: Request, now: Instant): void {
    if (!request.isOpen || request.timer !== undefined || this.#late.isFull) return;
    request.timer = this.#late.push(now + GRACE_RTOS * this.rto.drawMs(), request);
  }

  /** Takes an answered request out and learns its round trip; `undefined` when it was cancelled. */
  settle(id: RequestId, now: Instant): Request | undefined {
    const request = this.#requests.get(id);
    if (request === undefined) return undefined;
    this.#close(request);
    this.counts.answers += 1;
    // It was slow, and not lost.
    if (request.isLate && request.isSample) this.counts.timeouts -= 1;
    this.heard(now);
    // A get may have waited for its frame to be put again: puts alone are measured, if there are.
    const isFirst = this.rto.meanMs === undefined && request.isLikelyThere;
    if (isPut(request) || isFirst) this.#measure(now - request.sentAt, now);
    return request;
  }

  /** The Map has answered, if only that a place is empty: it is not out of reach. */
  heard(now: Instant): void {
    this.#lastAnswerAt = now;
    this.#silentTimeouts = 0;
    this.#pauses.answered();
    this.rto.restore();
  }

  /** Takes a failed request out; the path's time is not learned from it. */
  fail(id: RequestId): Request | undefined {
    const request = this.#requests.get(id);
    if (request !== undefined) this.#close(request);
    return request;
  }

  cancel(request: Request): void {
    if (!request.isOpen) return;
    this.#close(request);
    this.#effects.push({ kind: "cancel", request: request.id });
  }

  cancelAll(): void {
    for (const request of [...this.#requests.values()]) this.cancel(request);
  }

  /**
   * The Map was busy or could not be reached: nothing is sent for a while, and fewer puts at once
   * where it had no room.
   */
  pause(code: ErrorCode, now: Instant): void {
    const hadNoRoom = code === "CULVERT_BUSY" || code === "CULVERT_FULL";
    if (hadNoRoom) this.#putWindow.refused(now, this.rto.meanMs ?? this.rto.rtoMs());
    if (now >= this.#pauses.until) this.#pauses.begin(now, this.rto.drawMs());
  }

  /** Takes the next request that has become late; its place in the window is free again. */
  nextLate(now: Instant): Request | undefined {
    const late = this.#late.due(now);
    if (late === undefined) return undefined;
    late.timer = undefined;
    if (late.isLate) return late;
    late.isLate = true;
    this.#leaveWindow(late);
    if (late.isSample) this.#noteTimeout(late, now);
    this.#boundOpen();
    return late;
  }

  deadline(): Instant {
    return this.#late.deadline();
  }

  /**
   * The first measurements shorten the patience with what was sent on a guess, or on the three
   * round trips that a single sample justifies; nothing is given more time than it had.
   */
  #measure(tookMs: number, now: Instant): void {
    // Who waited longer was asleep, or cut off; neither time-out nor window could follow.
    const roundTripMs = Math.min(tookMs, RTO_DEFAULTS.maxMs);
    this.rto.sample(roundTripMs);
    this.#putWindow.sample({ rttMs: roundTripMs, meanMs: this.rto.meanMs ?? roundTripMs }, now);
    const rtoMs = this.rto.rtoMs();
    const isMuchShorter = rtoMs < RETIME_BELOW * this.#timedByMs;
    this.#timedByMs = isMuchShorter ? rtoMs : Math.max(rtoMs, this.#timedByMs);
    if (!isMuchShorter) return;
    for (const request of this.#requests.values()) {
      const { timer, isLate, sentAt, patience } = request;
      if (timer === undefined || isLate) continue;
      const at = Math.max(now, sentAt + patience * this.rto.drawMs());
      if (at >= timer.at) continue;
      this.#late.cancel(timer);
      request.timer = this.#late.push(at, request);
    }
  }

  #open(purpose: Purpose, index: number, sentAt: Instant, isSample: boolean): Request {
    const request: Request = {
      id: this.#nextId++,
      purpose,
      index,
      sentAt,
      isLate: false,
      isOpen: true,
      timer: undefined,
      patience: 1,
      isLikelyThere: false,
      isSample,
    };
    this.#requests.set(request.id, request);
    return request;
  }

  #arm(request: Request, now: Instant, patience = 1): void {
    request.patience = patience;
    request.timer = this.#late.push(now + patience * this.rto.drawMs(), request);
  }

  /** Makes this put the feeler, unless another one is out or the path has shown to be slow. */
  #feel(request: Request, now: Instant): boolean {
    const isOut = this.#feeler?.isOpen === true && !this.#feeler.isLate;
    if (!this.isFeeling || isOut || this.#feelerMs >= this.rto.rtoMs()) return false;
    this.#feeler = request;
    // Its lateness says nothing about the path.
    request.isSample = false;
    request.timer = this.#late.push(now + this.#feelerMs, request);
    this.#feelerMs *= 2;
    return true;
  }

  #close(request: Request): void {
    this.#requests.delete(request.id);
    if (!request.isLate) this.#leaveWindow(request);
    if (request.timer !== undefined) this.#late.cancel(request.timer);
    request.timer = undefined;
    request.isOpen = false;
  }

  #leaveWindow(request: Request): void {
    if (isPut(request)) this.#puts -= 1;
    else this.#gets -= 1;
  }

  /** One back-off for a whole flight of silent requests, and none for what plain loss explains. */
  #noteTimeout(late: Request, now: Instant): void {
    this.counts.timeouts += 1;
    if (this.#lastAnswerAt > late.sentAt || this.#lastBackoffAt > late.sentAt) return;
    this.#lastBackoffAt = now;
    this.#silentTimeouts += 1;
    if (this.#silentTimeouts > SILENT_TIMEOUTS_MAX) this.rto.backoff();
  }

  #boundOpen(): void {
    if (this.#requests.size <= OPEN_PER_WINDOW * this.#options.window) return;
    for (const request of this.#requests.values()) {
      if (!request.isLate) continue;
      this.cancel(request);
      return;
    }
  }
}
