import type { Instant } from "../../base/index.ts";
import type { Chain } from "../../crypto/index.ts";
import { type Exchange, FEELER_MS, type Request } from "../exchange/exchange.ts";
import { waitMsOf } from "../options.ts";
import { GapWatch } from "./gap-watch.ts";
import { type Post, Scout, type ScoutInit } from "./scout.ts";

/** What a lookout works with. */
export interface LookoutInit extends ScoutInit {
  /** How long a frame may be missing while later ones are there, in ms. */
  readonly gapLimitMs: number;
  /** How long the Map may hold a get for an empty place, in ms. */
  readonly getWaitMs: number;
}

/** Where a reader stands. */
export interface Standing {
  /** The lowest frame that has not arrived. */
  readonly base: number;
  /** How often it was asked for since a later one arrived; `Infinity` while none has. */
  readonly asks: number;
  /** Frames that have arrived beyond it. */
  readonly early: Iterable<number>;
  /** The chain's state at a frame from `base` on. */
  readonly stateAt: (index: number) => Uint8Array;
}

/** The frame to go on at, and the chain's state there, if it had to be derived. */
export interface Resumption {
  readonly index: number;
  readonly chain: Chain | undefined;
}

/**
 * What is missing is asked for so often at least before it is taken for gone, whatever a round trip
 * takes, and however few questions fit a window.
 */
const GAP_ASKS = 8;

/** Mean gaps between gets in which a missing frame is asked for a few times at least. */
const GAP_GAPS = 64;

/** The longest gap between two questions for the next frame, in ms. */
export function quietAskMsOf(options: {
  readonly quietAskMsMax: number;
  readonly gapLimitMs: number;
}): number {
  return Math.min(options.quietAskMsMax, Math.max(options.gapLimitMs / GAP_ASKS, FEELER_MS));
}

/**
 * Finds out that frames are gone for good: when later ones exist, near or far, and one is missing
 * for longer than a limit. Then it says where to go on.
 */
export class Lookout {
  readonly #gapLimitMs: number;
  /** A Map that says nothing at all for so long is out of reach: nothing is found out meanwhile. */
  readonly #silenceMsMax: number;
  readonly #exchange: Exchange;
  readonly #gaps = new GapWatch();
  readonly #scout: Scout;
  /** Since when there is room for the next frame, and a Map that answers. */
  #lookingSince: Instant = Number.NEGATIVE_INFINITY;
  #answeredAt: Instant = Number.NEGATIVE_INFINITY;
  /** What was found last: it was there once, and so was more than has arrived. */
  #found: Post | undefined;
  /** The missing frame for which the scout has gone out a second time. */
  #lookedAgainFor = -1;

  constructor(init: LookoutInit) {
    this.#gapLimitMs = Math.max(init.gapLimitMs, GAP_GAPS * init.paceMeanMs);
    this.#silenceMsMax = Math.max(2 * waitMsOf(init), this.#gapLimitMs / 2);
    this.#exchange = init.exchange;
    this.#scout = new Scout(init);
  }

  start(now: Instant): void {
    this.#answeredAt = now;
    this.#scout.rest(now);
  }

  /** The Map has answered something, if only that a place is empty. */
  answered(now: Instant): void {
    // What is missing was not to be had: it gets its time again, and so does who is far behind.
    if (this.#isSilent(now)) this.resume(now);
    this.#answeredAt = now;
    this.#exchange.heard(now);
  }

  /** A frame has arrived. */
  saw(index: number, now: Instant): void {
    this.#gaps.saw(index, now);
    this.#scout.heard(now);
  }

  /** The application reads again: what was there when it stopped may be gone by now. */
  resume(now: Instant): void {
    this.#lookingSince = now;
    this.#scout.wake(now);
  }

  /** Since when `base` is known to be missing; `Infinity` when nothing says that it exists. */
  missingSince(base: number): Instant {
    return Math.max(this.#gaps.since(base), this.#lookingSince);
  }

  /** The latest frame that is known to exist, near or far, while one is missing. */
  get seen(): number {
    return this.#gaps.seen;
  }

  /** Looks around while there is room; gives the frame to go on at, if those below are lost. */
  pump(now: Instant, { base, asks, early, stateAt }: Standing): Resumption | undefined {
    this.#forgetPassed(base);
    const lagsAt = this.missingSince(base) + this.#gapLimitMs;
    const isLagging = now >= lagsAt && !this.#isWaiting(now, asks);
    if (lagsAt < Number.POSITIVE_INFINITY && !isLagging) return undefined;
    const near = isLagging ? Math.min(...early) : Number.POSITIVE_INFINITY;
    if (near < Number.POSITIVE_INFINITY) return this.#goOn({ number: near }, now);
    if (isLagging && this.#lookedAgainFor !== base) {
      // What was found when the silence began may be gone too by now.
      this.#lookedAgainFor = base;
      this.#scout.hurry(now);
    }
    const look = this.#scout.pump(now, base, stateAt);
    if (look === undefined) return undefined;
    const found = look.found ?? this.#found;
    if (found === undefined || found.number <= base) return undefined;
    if (isLagging) return this.#goOn(found, now);
    this.#found = found;
    this.#gaps.saw(found.number, now);
    return undefined;
  }

  deadline(now: Instant, { base, asks }: Pick<Standing, "base" | "asks">): Instant {
    const lagsAt = this.missingSince(base) + this.#gapLimitMs;
    if (lagsAt === Number.POSITIVE_INFINITY) return this.#scout.deadline(now);
    if (now < lagsAt) return lagsAt;
    return this.#isWaiting(now, asks) ? Number.POSITIVE_INFINITY : this.#scout.deadline(now);
  }

  onGot(request: Request, cell: Uint8Array): void {
    this.#scout.onGot(request, cell);
  }

  onEmpty(request: Request): void {
    this.#scout.onEmpty(request);
  }

  onLate(request: Request): void {
    this.#scout.onLate(request);
  }

  /** Whoever has the state of a frame opens all that was read since. */
  #forgetPassed(base: number): void {
    if (this.#found === undefined || this.#found.number >= base) return;
    this.#found.chain.wipe();
    this.#found = undefined;
  }

  /** For the answer that ends a silence, or for more questions: what comes has everybody look. */
  #isWaiting(now: Instant, asks: number): boolean {
    return asks <= GAP_ASKS || this.#isSilent(now);
  }

  #isSilent(now: Instant): boolean {
    return now - this.#answeredAt > this.#silenceMsMax;
  }

  #goOn({ number: index, chain }: Partial<Post> & { number: number }, now: Instant): Resumption {
    this.#scout.wake(now);
    return { index, chain };
  }
}
