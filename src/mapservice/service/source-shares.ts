import type { Instant } from "../../base/index.ts";
import { RateTable } from "../../retx/index.ts";
import type { PutOutcome } from "../store/record-store.ts";
import type { MapLimits } from "./limits.ts";

/** What a put took from the share of its source, in records of the longest life. */
export interface Charge {
  readonly source: string;
  readonly amount: number;
}

/**
 * Records that each source may have stored: its share fills up again as fast as its oldest ones may
 * expire. A longer life takes what it adds; else a source would keep what it has by repeating it,
 * and have as much again once the share is full. All is forgotten with the process, so a restart
 * lets a source fill it once more; what is on disk stays bounded by the store's own limits.
 */
export class SourceShares {
  readonly #shares: RateTable;
  readonly #lifeMsMax: number;

  /** @param entriesMax records that the store can hold */
  constructor(entriesMax: number, limits: MapLimits) {
    const { sourceShare, sourcesMax, ttlSecondsMax } = limits;
    const capacity = Math.max(Math.floor(entriesMax * sourceShare), 1);
    this.#shares = new RateTable({ capacity, perSecond: capacity / ttlSecondsMax }, sourcesMax);
    this.#lifeMsMax = 1_000 * ttlSecondsMax;
  }

  /** Takes a record, which may be new; `undefined` when nothing is left. */
  takeRecord(source: string, now: Instant): Charge | undefined {
    return this.#take({ source, amount: 1 }, now);
  }

  /** Takes so much more life for a record that is kept; `undefined` when that is not left. */
  takeLife(source: string, lifeMs: number, now: Instant): Charge | undefined {
    return this.#take({ source, amount: this.#amountOf(lifeMs) }, now);
  }

  /** Gives back what was taken for more than came of it; without an outcome, all of it. */
  settle(charge: Charge | undefined, outcome?: PutOutcome): void {
    if (charge === undefined || outcome?.kind === "stored") return;
    const gainedMs = outcome?.kind === "known" ? (outcome.gainedMs ?? 0) : 0;
    this.#shares.refund(charge.source, charge.amount - this.#amountOf(gainedMs));
  }

  #take(charge: Charge, now: Instant): Charge | undefined {
    return this.#shares.take(charge.source, now, charge.amount) ? charge : undefined;
  }

  #amountOf(lifeMs: number): number {
    return Math.min(lifeMs / this.#lifeMsMax, 1);
  }
}
