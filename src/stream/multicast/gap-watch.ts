import type { Instant } from "../../base/index.ts";

/** Remembers since when a frame is missing: since a later one is known to exist. */
export class GapWatch {
  /** The frames that were the latest one known, in order, and since when. */
  readonly #marks: { readonly seen: number; readonly at: Instant }[] = [];

  /** The latest frame that is known to exist, if one is missing before it. */
  get seen(): number {
    return this.#marks.at(-1)?.seen ?? -1;
  }

  /** Frame `seen` is known to exist. */
  saw(seen: number, at: Instant): void {
    const last = this.#marks.at(-1);
    if (last === undefined || seen > last.seen) this.#marks.push({ seen, at });
  }

  /** Since when the lowest frame that has not arrived is missing; `Infinity`: it is not. */
  since(base: number): Instant {
    while (this.#marks[0] !== undefined && this.#marks[0].seen <= base) this.#marks.shift();
    return this.#marks[0]?.at ?? Number.POSITIVE_INFINITY;
  }
}
