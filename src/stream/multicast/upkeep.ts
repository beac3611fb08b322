import { type Instant, LruMap, type Random } from "../../base/index.ts";
import { type TimerHandle, TimerQueue } from "../../retx/index.ts";
import { REFRESH_AFTER, refreshedLifeMs } from "../sender/refresh.ts";

/** How a kept frame is looked after. */
export interface UpkeepInit {
  /** Frames that are kept at most. */
  readonly capacity: number;
  readonly random: Random;
  /** The life that the Map is asked for. */
  readonly ttlSeconds: number;
  /** A frame is put again at least this often; 0: only before its time ends. */
  readonly refreshSeconds: number;
}

/** What is known of a frame that the Map has. */
export interface Keeping {
  readonly now: Instant;
  /** When the Map's promise ends, and when the frame is given up. */
  readonly expiresAt: Instant;
  readonly endsAt: Instant;
}

/** Frames whose last repair is remembered; beyond, the oldest memory goes. */
const REMEMBERED_MAX = 1_024;

/** Time over which frames are spread whose receipts a restart has forgotten, in ms. */
const RESUME_SPREAD_MS = 600_000;

/**
 * The frames of a broadcast that are in the Map and have to be put again: because their time there
 * would end, or because a reader lacks them.
 */
export class Upkeep {
  readonly #init: UpkeepInit;
  readonly #timers: TimerQueue<number>;
  readonly #handles = new Map<number, TimerHandle>();
  readonly #due = new Set<number>();
  readonly #flying = new Set<number>();
  readonly #repairedAt = new LruMap<number, Instant>(REMEMBERED_MAX);

  constructor(init: UpkeepInit) {
    this.#init = init;
    this.#timers = new TimerQueue({ capacity: init.capacity });
  }

  /** Whether `next` gives a frame. */
  get isDue(): boolean {
    return this.#due.size > 0;
  }

  /** The Map has given a receipt. */
  stored(index: number, { now, expiresAt, endsAt }: Keeping): void {
    this.#flying.delete(index);
    this.#due.delete(index);
    const early = this.#init.random.unit() / 5;
    const isShort = expiresAt < endsAt;
    const lifeMs = refreshedLifeMs({
      grantedMs: expiresAt - now,
      askedSeconds: this.#init.ttlSeconds,
    });
    const inTime = isShort ? lifeMs * (REFRESH_AFTER + early) : Number.POSITIVE_INFINITY;
    this.#schedule(index, now + Math.min(inTime, this.#refreshMs * (1 - early)), endsAt);
  }

  /**
   * An earlier session has had a receipt, which may be over. When it has put the frame last is not
   * known: it goes on being refreshed at the hours at which it would have been since its birth.
   */
  resumed(index: number, { now, bornAt, expiresAt, endsAt }: Keeping & { bornAt: Instant }): void {
    const { random } = this.#init;
    // By a clock that was set back it is born tomorrow: then nothing is known of its life.
    const overAt = bornAt > now ? now : expiresAt;
    const spreadMs = Math.max(RESUME_SPREAD_MS, overAt - now) * random.unit();
    const inTime = overAt < endsAt ? spreadMs : Number.POSITIVE_INFINITY;
    const refreshMs = this.#refreshMs - ((now - bornAt) % this.#refreshMs);
    this.#schedule(index, now + Math.min(inTime, refreshMs * (1 - random.unit() / 5)), endsAt);
  }

  /** A reader lacks this frame; false if it was put again after `since`, or is about to be. */
  repair(index: number, times: { readonly now: Instant; readonly since: Instant }): boolean {
    const repairedAt = this.#repairedAt.peek(index) ?? Number.NEGATIVE_INFINITY;
    if (repairedAt > times.since || this.#due.has(index) || this.#flying.has(index)) return false;
    this.#repairedAt.set(index, times.now);
    this.#due.add(index);
    return true;
  }

  /** Takes the next frame to put again. */
  next(): number | undefined {
    for (const index of this.#due) {
      this.#due.delete(index);
      this.#flying.add(index);
      return index;
    }
    return undefined;
  }

  /** The put is late or has failed: another one is needed. */
  late(index: number): void {
    if (this.#flying.delete(index)) this.#due.add(index);
  }

  /** The frame is not kept any more. */
  forget(index: number): void {
    this.#flying.delete(index);
    this.#due.delete(index);
    this.#unschedule(index);
    this.#repairedAt.delete(index);
  }

  timeout(now: Instant): void {
    for (let index = this.#timers.due(now); index !== undefined; index = this.#timers.due(now)) {
      this.#handles.delete(index);
      if (!this.#flying.has(index)) this.#due.add(index);
    }
  }

  deadline(): Instant {
    return this.#timers.deadline();
  }

  /** The longest that a frame is left alone; `Infinity`: as long as its time lasts. */
  get #refreshMs(): number {
    return this.#init.refreshSeconds * 1_000 || Number.POSITIVE_INFINITY;
  }

  #schedule(index: number, at: Instant, endsAt: Instant): void {
    this.#unschedule(index);
    if (at < endsAt) this.#handles.set(index, this.#timers.push(at, index));
  }

  #unschedule(index: number): void {
    const handle = this.#handles.get(index);
    if (handle !== undefined) this.#timers.cancel(handle);
    this.#handles.delete(index);
  }
}
