import type { Instant } from "../../base/index.ts";

/** Until when the Map keeps what a reader has not read, by what it says of the newest frame. */
export class UnreadLife {
  #newestIndex = 0;
  #endsAt: Instant = Number.POSITIVE_INFINITY;

  /**
   * When the Map forgets the newest of the other side's frames that was read; those behind it were
   * put later. `Infinity` while no Map has told.
   */
  get endsAt(): Instant {
    return this.#endsAt;
  }

  /** A frame was read that the Map keeps for so long, if it tells; not checked yet. */
  note(index: number, ttlSeconds: number | undefined, now: Instant): void {
    if (index < this.#newestIndex || !isSeconds(ttlSeconds)) return;
    this.#newestIndex = index;
    this.#endsAt = now + 1_000 * ttlSeconds;
  }
}

/** It comes from the Map, or from whoever stands in for it. */
function isSeconds(value: number | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
