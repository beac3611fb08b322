import type { Instant } from "../base/index.ts";
import type { FrameTable } from "./frame-table.ts";

/**
 * The frames from the first on of each of which the Map, or its reader, has said that it was there.
 * A frame that is put again stays among them: that its time has come, or that somebody may lack it,
 * does not say that the Map has lost it.
 */
export class StoredRun {
  readonly #frames: FrameTable;
  #below: number;

  constructor(frames: FrameTable) {
    this.#frames = frames;
    this.#below = frames.base;
  }

  /** Where it ends. */
  get below(): number {
    return this.#below;
  }

  /** This frame was said to be there, or it has left, or all below it have. */
  reached(index: number): void {
    const { base, next } = this.#frames;
    if (index !== this.#below && base <= this.#below) return;
    this.#below = Math.max(this.#below, base);
    // Each frame is passed once.
    while (this.#below < next && this.#wasThere(this.#below)) this.#below += 1;
  }

  /** When the first receipt of those that are left ends. */
  earliestExpiry(): Instant {
    let earliest = Number.POSITIVE_INFINITY;
    for (let index = this.#frames.base; index < this.#below; index++) {
      const slot = this.#frames.find(index);
      if (slot >= 0) earliest = Math.min(earliest, this.#frames.expiresAt[slot] as number);
    }
    return earliest;
  }

  #wasThere(index: number): boolean {
    const { storedAt, selected } = this.#frames;
    const slot = this.#frames.find(index);
    return slot < 0 || storedAt[slot] !== Number.NEGATIVE_INFINITY || selected[slot] === 1;
  }
}
