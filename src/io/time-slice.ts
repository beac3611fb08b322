import type { Clock, Instant } from "../base/index.ts";
import { defer } from "./defer.ts";

/** After so long other events have their turn. */
const SLICE_MS = 1;

/**
 * Bounds what one turn of the event loop spends on work that comes in bursts: while the slice of
 * this turn lasts, its owner goes on; when it is over, the owner waits for `onNext`, after other
 * events. All owners on one clock share the slice of a turn, and who had nothing of it comes first
 * in the next one.
 */
export class TimeSlice {
  readonly #turns: Turns;
  readonly #place: Place;

  constructor(clock: Clock, onNext: () => void) {
    const turns = TURNS.get(clock) ?? new Turns(clock);
    TURNS.set(clock, turns);
    this.#turns = turns;
    this.#place = { onNext, isWaiting: false, wasServed: false };
  }

  /** Whether there is time in this turn; the owner hears of the next one in any case. */
  begin(): boolean {
    return this.#turns.begin(this.#place);
  }
}

/** An owner in the queue for the next turn. */
interface Place {
  readonly onNext: () => void;
  isWaiting: boolean;
  /** It had time in this turn. */
  wasServed: boolean;
}

/** The turns of the event loop on one clock. */
class Turns {
  readonly #clock: Clock;
  #waiting: Place[] = [];
  #endsAt: Instant | undefined;
  /**
   * Deferred work runs at the end of a turn. A slice that began before that, with an event, is the
   * only one until the end of the turn after.
   */
  #mayRenew = false;
  #isDeferred = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(place: Place): boolean {
    const now = this.#clock.now();
    if (this.#endsAt === undefined) {
      this.#endsAt = now + SLICE_MS;
      this.#mayRenew = false;
    }
    if (!place.isWaiting) {
      place.isWaiting = true;
      this.#waiting.push(place);
      this.#defer();
    }
    const hasTime = now < this.#endsAt;
    place.wasServed ||= hasTime;
    return hasTime;
  }

  #defer(): void {
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    defer(() => {
      this.#isDeferred = false;
      this.#next();
    });
  }

  #next(): void {
    const now = this.#clock.now();
    if (this.#mayRenew) this.#endsAt = now + SLICE_MS;
    this.#mayRenew = true;
    if (this.#endsAt !== undefined && now >= this.#endsAt) {
      this.#defer();
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    const hungry = waiting.filter(({ wasServed }) => !wasServed);
    const served = waiting.filter(({ wasServed }) => wasServed);
    for (const place of [...hungry, ...served]) {
      place.isWaiting = false;
      place.wasServed = false;
      place.onNext();
    }
    if (this.#waiting.length === 0) this.#endsAt = undefined;
  }
}

const TURNS = new WeakMap<Clock, Turns>();
