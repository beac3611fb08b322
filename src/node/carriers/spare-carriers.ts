import type { Cancel, Clock } from "../../base/index.ts";

/** A carrier of one stream that can build its circuits before the stream asks for anything. */
export interface PreparedCarrier {
  /** Builds them, and keeps them fresh until they are needed. */
  prepare(): void;
}

/** After a stream has begun: its first bytes do not stand in line with what is for others. */
const REFILL_MS = 1_000;

/**
 * Keeps one carrier for the stream that comes next. Its circuits are ready when that stream begins,
 * and were never used: nothing leads from one stream to another.
 */
export class SpareCarriers<Carrier extends PreparedCarrier> {
  readonly #make: () => Carrier;
  readonly #clock: Clock;
  readonly #isKept: boolean;
  #spare: Carrier | undefined;
  #cancel: Cancel | undefined;

  /** @param isKept whether streams are still to come; otherwise each one waits for its circuits */
  constructor(
    make: () => Carrier,
    components: { readonly clock: Clock; readonly isKept: boolean },
  ) {
    this.#make = make;
    this.#clock = components.clock;
    this.#isKept = components.isKept;
    if (this.#isKept) this.#refill();
  }

  /** A carrier that nobody else has; its circuits are ready, or being built. */
  take(): Carrier {
    const carrier = this.#spare ?? this.#make();
    this.#spare = undefined;
    carrier.prepare();
    if (this.#isKept) this.#refillLater();
    return carrier;
  }

  /** Makes no more of them. */
  close(): void {
    this.#cancel?.();
  }

  #refillLater(): void {
    this.#cancel?.();
    const at = this.#clock.now() + REFILL_MS;
    this.#cancel = this.#clock.schedule(at, () => this.#refill(), { background: true });
  }

  #refill(): void {
    this.#spare = this.#make();
    this.#spare.prepare();
  }
}
