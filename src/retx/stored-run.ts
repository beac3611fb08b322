import type { Instant } from "../base/index.ts";
import type { FrameTable } from "./frame-table.ts";

/** What is known of the unacknowledged frames that were stored without a gap. */
export interface StoredFrames {
  /** The first that is to be put again, or the one behind the last. */
  readonly heldBelow: number;
  /** When the first receipt ends. */
  readonly expiresAt: Instant;
}

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

  /** Looks at each of those that are left; `isThere`: the one in a slot is not to be put again. */
  look(isThere: (slot: number) => boolean): StoredFrames {
    const { base, expiresAt } = this.#frames;
    let heldBelow = base;
    let earliest = Number.POSITIVE_INFINITY;
    for (let index = base; index < this.#below; index++) {
      const slot = this.#frames.find(index);
      if (index === heldBelow && isThere(slot)) heldBelow += 1;
      earliest = Math.min(earliest, expiresAt[slot] ?? Number.POSITIVE_INFINITY);
    }
    return { heldBelow, expiresAt: earliest };
  }

  #wasThere(index: number): boolean {
    const { storedAt, selected } = this.#frames;
    const slot = this.#frames.find(index);
    return slot < 0 || storedAt[slot] !== Number.NEGATIVE_INFINITY || selected[slot] === 1;
  }
}
