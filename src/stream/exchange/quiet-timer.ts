import type { Instant } from "../../base/index.ts";
import { type Exchange, FEELER_MS } from "./exchange.ts";

/** Questions per place of a quiet chain before they begin to grow apart, and how fast they do. */
export const QUIET_ASKS = 8;
const QUIET_GROWTH = 1.5;

/** How long a question waits for a place in the window before it comes before other chains'. */
const OVERDUE_RTOS = 8;

/** How often a quiet chain is asked. */
export interface QuietTimerOptions {
  /** Longest gap between two questions for the next frame of a quiet chain, in ms. */
  readonly quietAskMsMax: number;
  /** How many of the lowest places of a quiet chain are asked for in turn. */
  readonly quietPlaces: number;
}

/** When a chain that brings nothing new is asked once more: at growing gaps, to a limit. */
export class QuietTimer {
  readonly #exchange: Exchange;
  readonly #options: QuietTimerOptions;
  #gapMs = 0;
  #asks = 0;
  #at: Instant = Number.POSITIVE_INFINITY;

  constructor(exchange: Exchange, options: QuietTimerOptions) {
    this.#exchange = exchange;
    this.#options = options;
  }

  /** Questions since something arrived. */
  get asks(): number {
    return this.#asks;
  }

  /** Whether it was asked many times in vain. */
  get isQuiet(): boolean {
    return this.#asks > QUIET_ASKS * this.#options.quietPlaces;
  }

  get deadline(): Instant {
    return this.#at;
  }

  /** Others have left no place in the window for it; where gets are rationed, they take turns. */
  isOverdue(now: Instant): boolean {
    const { isPaced, rto } = this.#exchange;
    return !isPaced && now >= this.#at + OVERDUE_RTOS * rto.rtoMs();
  }

  /** The question was asked. */
  asked(now: Instant): void {
    this.#asks += 1;
    if (this.isQuiet) this.#gapMs *= QUIET_GROWTH;
    this.arm(now);
  }

  /** Something arrived, or may soon: the questions come close together again. */
  begin(now: Instant): void {
    this.#gapMs = 0;
    this.#asks = 0;
    this.arm(now);
  }

  disarm(): void {
    this.#at = Number.POSITIVE_INFINITY;
  }

  /** Counts the gap from `now` on. */
  arm(now: Instant): void {
    const { quietPlaces, quietAskMsMax } = this.#options;
    const { isFeeling, rto } = this.#exchange;
    // Several places in turn: each of them should come round as often as a single one would.
    const usualMs = (2 * rto.rtoMs()) / (1 + quietPlaces);
    if (isFeeling && this.#gapMs < usualMs) {
      this.#gapMs = Math.min(Math.max(2 * this.#gapMs, FEELER_MS), usualMs);
    } else if (this.#gapMs === 0) this.#gapMs = usualMs;
    // Asked again before it can be answered, a question takes the place of those before it.
    const roundTripMs = (2 * (rto.meanMs ?? 0)) / (1 + quietPlaces);
    this.#gapMs = Math.min(this.#gapMs, Math.max(quietAskMsMax, roundTripMs));
    this.#at = now + this.#gapMs;
  }
}
