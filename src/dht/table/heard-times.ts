import type { Instant } from "../../base/index.ts";

/** Places made at once. */
const ROOM = 32;

/**
 * When each contact of a table was heard last, in the order of the contacts.
 *
 * Outside of the heap: a list of numbers is copied whole when the first one comes that is no whole
 * number, and of many nodes in one process that is most of what there is to be collected.
 */
export class HeardTimes {
  #times: Float64Array;
  #size: number;

  constructor(times: Iterable<Instant> = []) {
    this.#times = Float64Array.from(times);
    this.#size = this.#times.length;
  }

  at(index: number): Instant {
    return this.#times[index] ?? 0;
  }

  set(index: number, at: Instant): void {
    this.#times[index] = at;
  }

  insert(index: number, at: Instant): void {
    if (this.#size === this.#times.length) {
      const longer = new Float64Array(this.#size + ROOM);
      longer.set(this.#times);
      this.#times = longer;
    }
    this.#times.copyWithin(index + 1, index, this.#size);
    this.#times[index] = at;
    this.#size += 1;
  }

  remove(index: number): void {
    this.#times.copyWithin(index, index + 1, this.#size);
    this.#size -= 1;
  }
}
