import type { Instant } from "../../base/index.ts";
import type { RateGate } from "./rate-gate.ts";

/** The number of one stream at a relay. */
export type LegId = number;

/** What a relay does to a leg. */
export type LegEffect =
  | { readonly kind: "send"; readonly leg: LegId; readonly bytes: Uint8Array }
  | { readonly kind: "end"; readonly leg: LegId }
  | { readonly kind: "read"; readonly leg: LegId; readonly isReading: boolean };

/** One direction of a circuit. */
interface Direction {
  readonly from: LegId;
  readonly to: LegId;
  /** Bytes given to `to` that have not left. */
  unsent: number;
  isEnded: boolean;
  isReading: boolean;
  /** Until when the rate lets nothing more be read. */
  pausedUntil: Instant;
}

/** What a circuit needs of its relay. */
export interface CircuitInit {
  readonly caller: LegId;
  readonly holder: LegId;
  readonly bufferBytes: number;
  readonly gate: RateGate;
  readonly effect: (effect: LegEffect) => void;
  readonly now: Instant;
}

/**
 * Two legs that are joined: what comes on one leaves on the other, counted, no faster than the rate
 * allows, and never more under way than the buffer holds and a sender had sent before it was told.
 */
export class Circuit {
  readonly #init: CircuitInit;
  readonly #directions: readonly Direction[];
  passedBytes = 0;
  lastAt: Instant;

  constructor(init: CircuitInit) {
    this.#init = init;
    const { caller, holder, now } = init;
    const between = (from: LegId, to: LegId): Direction => {
      return { from, to, unsent: 0, isEnded: false, isReading: true, pausedUntil: now };
    };
    this.#directions = [between(caller, holder), between(holder, caller)];
    this.lastAt = now;
  }

  get legs(): readonly [caller: LegId, holder: LegId] {
    return [this.#init.caller, this.#init.holder];
  }

  /** Whether both sides have ended and everything has left. */
  get isOver(): boolean {
    return this.#directions.every(({ isEnded, unsent }) => isEnded && unsent === 0);
  }

  /** When a leg may be read again. */
  get wakesAt(): Instant {
    let first = Number.POSITIVE_INFINITY;
    for (const { isReading, pausedUntil, unsent, isEnded } of this.#directions) {
      if (!isReading && !isEnded && unsent <= this.#init.bufferBytes / 2) {
        first = Math.min(first, pausedUntil);
      }
    }
    return first;
  }

  /** Passes bytes of a leg on. */
  pass(leg: LegId, bytes: Uint8Array, now: Instant): void {
    const direction = this.#from(leg);
    if (direction === undefined || direction.isEnded || bytes.length === 0) return;
    this.lastAt = now;
    this.passedBytes += bytes.length;
    direction.unsent += bytes.length;
    direction.pausedUntil = this.#init.gate.pass(bytes.length, now);
    this.#init.effect({ kind: "send", leg: direction.to, bytes });
    this.#adjust(direction, now);
  }

  /** So many bytes of those given to a leg have left. */
  sent(leg: LegId, bytes: number, now: Instant): void {
    const direction = this.#directions.find(({ to }) => to === leg);
    if (direction === undefined) return;
    direction.unsent = Math.max(direction.unsent - bytes, 0);
    this.#adjust(direction, now);
  }

  /** A leg will send nothing more. */
  ended(leg: LegId): void {
    const direction = this.#from(leg);
    if (direction === undefined || direction.isEnded) return;
    direction.isEnded = true;
    this.#init.effect({ kind: "end", leg: direction.to });
  }

  /** Reads again what may be read again. */
  timeout(now: Instant): void {
    for (const direction of this.#directions) this.#adjust(direction, now);
  }

  #from(leg: LegId): Direction | undefined {
    return this.#directions.find(({ from }) => from === leg);
  }

  #adjust(direction: Direction, now: Instant): void {
    if (direction.isEnded) return;
    const { bufferBytes } = this.#init;
    const isPaid = direction.pausedUntil <= now;
    // Read again at half, so that a leg is not switched with every byte.
    const room = direction.isReading ? bufferBytes : bufferBytes / 2;
    const isReading = isPaid && direction.unsent <= room;
    if (isReading === direction.isReading) return;
    direction.isReading = isReading;
    this.#init.effect({ kind: "read", leg: direction.from, isReading });
  }
}
