import type { Instant } from "../../base/index.ts";

/** What a carrier knows of what it has sent. */
export interface PathProgress {
  /** The round trip of its packets of late, the time in queues included; 0 while it knows none. */
  readonly roundTripMs: number;
  /** Bytes that are on their way, without an acknowledgement. */
  readonly inFlightBytes: number;
  /** Which share of its packets of late were repeated. */
  readonly repeatedShare: number;
}

/** How long what is sent may wait in the queues of the network. */
const QUEUE_MS = 20;
/** How long the shortest round trip counts: one and two of these. */
const BASE_MS = 15_000;
/** Round trips below this are a machine's own business: they are looked at so often at most. */
const ROUND_MS_MIN = 10;
/** The window that is always granted: two records, so that one can be on its way. */
const WINDOW_BYTES_MIN = 32_768;
/** How much the window changes in one round at most, and how far it goes to where it should be. */
const GROWTH_MAX = 1.5;
const CUT_MAX = 0.5;
const SHARE = 0.5;
/** A round trip that is no shorter than so much of it has not been shortened. */
const SAME_SHARE = 0.9;

/**
 * How much may be on its way over a path, so that the queue before its bottleneck stays short: what
 * is urgent has to wait in it, and no priority of ours counts there.
 *
 * The shortest round trip is that of empty queues; what the shortest of one round is above it is a
 * queue that stands, as CoDel tells one from a burst. Once a round the window moves towards what
 * would make that {@link QUEUE_MS}, as in FAST TCP. Loss does not move it: that is the carrier's
 * affair, and its round trips are those of packets, whatever waits for a lost one. A window that
 * was halved without shortening the round trip was not what made it long: another route, or
 * somebody else's queue. Then that round trip counts as the shortest, and the window grows.
 *
 * Sources: Nichols and Jacobson, "Controlling Queue Delay", 2012; Wei, Jin, Low and Hegde, "FAST
 * TCP", 2006.
 */
export class DelayWindow {
  #bytes = Number.POSITIVE_INFINITY;
  /** The shortest round trips of the time before, and of this one. */
  #lastBaseMs = Number.POSITIVE_INFINITY;
  #baseMs = Number.POSITIVE_INFINITY;
  #baseUntil: Instant = Number.NEGATIVE_INFINITY;
  /** The round. */
  #roundUntil: Instant = Number.NEGATIVE_INFINITY;
  #shortestMs = Number.POSITIVE_INFINITY;
  #mostInFlight = 0;
  #isFull = false;
  /** What was on its way, and the round trip, when shrinking last made that shorter. */
  #cutFrom: { readonly bytes: number; readonly ms: number } | undefined;

  /** What may be on its way; no bound while no queue has been seen. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What may be sent now, where `unsentBytes` wait below the link; looks at how things stand. */
  room(
    { roundTripMs, inFlightBytes }: Omit<PathProgress, "repeatedShare">,
    unsentBytes: number,
    now: Instant,
  ): number {
    const outstanding = inFlightBytes + unsentBytes;
    if (roundTripMs > 0) {
      if (now >= this.#roundUntil) this.#endRound(roundTripMs, now);
      this.#shortestMs = Math.min(this.#shortestMs, roundTripMs);
      this.#mostInFlight = Math.max(this.#mostInFlight, inFlightBytes);
    }
    const room = this.#bytes - outstanding;
    if (room <= 0) this.#isFull = true;
    return room;
  }

  #endRound(roundTripMs: number, now: Instant): void {
    this.#noteBase(now);
    if (this.#shortestMs !== Number.POSITIVE_INFINITY) this.#adjust();
    this.#shortestMs = Number.POSITIVE_INFINITY;
    this.#mostInFlight = 0;
    this.#isFull = false;
    this.#roundUntil = now + Math.max(roundTripMs, ROUND_MS_MIN);
  }

  #noteBase(now: Instant): void {
    if (now >= this.#baseUntil) {
      this.#lastBaseMs = this.#baseMs;
      this.#baseMs = Number.POSITIVE_INFINITY;
      this.#baseUntil = now + BASE_MS;
    }
    this.#baseMs = Math.min(this.#baseMs, this.#shortestMs);
  }

  #adjust(): void {
    const shortestMs = this.#shortestMs;
    const baseMs = Math.min(this.#baseMs, this.#lastBaseMs);
    const aimMs = baseMs + QUEUE_MS;
    if (shortestMs <= aimMs) {
      this.#cutFrom = undefined;
      const isEmpty = shortestMs <= baseMs + QUEUE_MS / 4;
      if (this.#isFull) this.#move(isEmpty ? GROWTH_MAX : aimMs / shortestMs);
    } else if (this.#isInVain(shortestMs)) {
      this.#baseMs = shortestMs;
      this.#lastBaseMs = shortestMs;
      this.#cutFrom = undefined;
    } else {
      // What the window allowed beyond what was there has not made the queue.
      this.#bytes = Math.min(this.#bytes, this.#mostInFlight);
      this.#move(Math.max(aimMs / shortestMs, CUT_MAX));
    }
  }

  /** Whether half of what was on its way went, and the round trip is as long as before. */
  #isInVain(shortestMs: number): boolean {
    const from = this.#cutFrom;
    if (from === undefined || shortestMs < from.ms * SAME_SHARE) {
      this.#cutFrom = { bytes: this.#mostInFlight, ms: shortestMs };
      return false;
    }
    return this.#mostInFlight <= from.bytes / 2;
  }

  /** Half of the way: the round trips that were seen are those of the window before. */
  #move(factor: number): void {
    const bytes = this.#bytes * (1 + (factor - 1) * SHARE);
    this.#bytes = Math.max(Math.round(bytes), WINDOW_BYTES_MIN);
  }
}
