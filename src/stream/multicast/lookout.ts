import type { Instant } from "../../base/index.ts";
import type { Request } from "../exchange.ts";
import { GapWatch } from "./gap-watch.ts";
import { Scout, type ScoutInit } from "./scout.ts";

/** What a lookout works with. */
export interface LookoutInit extends ScoutInit {
  /** How long a frame may be missing while later ones are there, in ms. */
  readonly gapLimitMs: number;
}

/** Where a reader stands. */
export interface Standing {
  /** The lowest frame that has not arrived. */
  readonly base: number;
  /** Frames that have arrived beyond it. */
  readonly early: Iterable<number>;
  /** The chain's state at a frame from `base` on. */
  readonly stateAt: (index: number) => Uint8Array;
}

/**
 * Finds out that frames are gone for good: when later ones exist, near or far, and one is missing
 * for longer than a limit. Then it says where to go on.
 */
export class Lookout {
  readonly #gapLimitMs: number;
  readonly #gaps = new GapWatch();
  readonly #scout: Scout;
  /** Since when there is room for the next frame. */
  #roomSince: Instant = Number.NEGATIVE_INFINITY;
  /** What was found last: it was there once, and so was more than has arrived. */
  #found: number | undefined;
  /** The missing frame for which the scout has gone out a second time. */
  #lookedAgainFor = -1;

  constructor(init: LookoutInit) {
    this.#gapLimitMs = init.gapLimitMs;
    this.#scout = new Scout(init);
  }

  start(now: Instant): void {
    this.#scout.rest(now);
  }

  /** A frame has arrived. */
  saw(index: number, now: Instant): void {
    this.#gaps.saw(index, now);
    this.#scout.heard(now);
  }

  /** The application reads again: what was there when it stopped may be gone by now. */
  resume(now: Instant): void {
    this.#roomSince = now;
    this.#scout.wake(now);
  }

  /** Since when `base` is known to be missing; `Infinity` when nothing says that it exists. */
  missingSince(base: number): Instant {
    return Math.max(this.#gaps.since(base), this.#roomSince);
  }

  /** Looks around while there is room; gives the frame to go on at, if those below are lost. */
  pump(now: Instant, { base, early, stateAt }: Standing): number | undefined {
    const since = this.missingSince(base);
    const isLagging = now >= since + this.#gapLimitMs;
    if (since < Number.POSITIVE_INFINITY && !isLagging) return undefined;
    const near = isLagging ? Math.min(...early) : Number.POSITIVE_INFINITY;
    if (near < Number.POSITIVE_INFINITY) return this.#goOn(near, now);
    if (isLagging && this.#lookedAgainFor !== base) {
      // What was found when the silence began may be gone too by now.
      this.#lookedAgainFor = base;
      this.#scout.hurry(now);
    }
    const look = this.#scout.pump(now, base, stateAt);
    if (look === undefined) return undefined;
    const found = look.found ?? this.#found;
    if (found === undefined || found <= base) return undefined;
    if (isLagging) return this.#goOn(found, now);
    this.#found = found;
    this.#gaps.saw(found, now);
    return undefined;
  }

  deadline(now: Instant, base: number): Instant {
    const lagsAt = this.missingSince(base) + this.#gapLimitMs;
    const isScouting = lagsAt === Number.POSITIVE_INFINITY || now >= lagsAt;
    return isScouting ? this.#scout.deadline(now) : lagsAt;
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

  #goOn(index: number, now: Instant): number {
    this.#scout.wake(now);
    return index;
  }
}
