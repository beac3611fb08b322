interface Range {
  readonly first: number;
  /** Inclusive. */
  last: number;
}

/**
 * A set of whole numbers that mostly follow each other, kept as ranges: what was used of a counter.
 * `add` and `has` cost O(log ranges), and a hole less is a range less.
 */
export class NumberRanges {
  /** In order, neither touching nor overlapping. */
  #ranges: Range[] = [];

  /** How many separate ranges there are: what the set costs. */
  get size(): number {
    return this.#ranges.length;
  }

  has(number: number): boolean {
    const range = this.#ranges[this.#indexOf(number)];
    return range !== undefined && range.first <= number;
  }

  add(number: number): void {
    const at = this.#indexOf(number);
    const next = this.#ranges[at];
    if (next !== undefined && next.first <= number) return;
    const before = this.#ranges[at - 1];
    const joinsBefore = before !== undefined && before.last === number - 1;
    const joinsNext = next !== undefined && next.first === number + 1;
    if (joinsBefore && joinsNext) {
      before.last = next.last;
      this.#ranges.splice(at, 1);
    } else if (joinsBefore) {
      before.last = number;
    } else if (joinsNext) {
      this.#ranges[at] = { first: number, last: next.last };
    } else {
      this.#ranges.splice(at, 0, { first: number, last: number });
    }
  }

  /** Adds every number below `limit`. */
  addBelow(limit: number): void {
    if (limit < 1) return;
    const at = this.#indexOf(limit);
    const next = this.#ranges[at];
    const isJoined = next !== undefined && next.first <= limit;
    const last = isJoined ? next.last : limit - 1;
    this.#ranges = [{ first: 0, last }, ...this.#ranges.slice(isJoined ? at + 1 : at)];
  }

  /** Index of the first range that does not end before `number`. */
  #indexOf(number: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle] as Range).last < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
