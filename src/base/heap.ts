interface Entry<T> {
  readonly value: T;
  readonly order: number;
}

/**
 * A binary heap ordered by `before`; ties leave in the order in which they came, so that a run with
 * one seed has one trace.
 */
export class Heap<T> {
  readonly #before: (a: T, b: T) => boolean;
  readonly #entries: Entry<T>[] = [];
  #pushed = 0;

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#entries.length;
  }

  peek(): T | undefined {
    return this.#entries[0]?.value;
  }

  push(value: T): void {
    const entry = { value, order: this.#pushed++ };
    this.#entries.push(entry);
    this.#rise(entry, this.#entries.length - 1);
  }

  pop(): T | undefined {
    const entries = this.#entries;
    const top = entries[0];
    const last = entries.pop();
    if (top === undefined || last === undefined) return undefined;
    if (entries.length > 0) this.#sink(last);
    return top.value;
  }

  clear(): void {
    this.#entries.length = 0;
  }

  /** Down to a leaf with the gap, and up with the entry: it came from there, and seldom rises. */
  #sink(entry: Entry<T>): void {
    const entries = this.#entries;
    let at = 0;
    for (let child = 1; child < entries.length; child = 2 * at + 1) {
      const right = entries[child + 1];
      if (right !== undefined && this.#isFirst(right, entries[child] as Entry<T>)) child += 1;
      entries[at] = entries[child] as Entry<T>;
      at = child;
    }
    this.#rise(entry, at);
  }

  /** Puts the entry at a free place, or above as far as it comes before what is there. */
  #rise(entry: Entry<T>, from: number): void {
    const entries = this.#entries;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = entries[parent] as Entry<T>;
      if (!this.#isFirst(entry, above)) break;
      entries[at] = above;
      at = parent;
    }
    entries[at] = entry;
  }

  #isFirst(a: Entry<T>, b: Entry<T>): boolean {
    if (this.#before(a.value, b.value)) return true;
    if (this.#before(b.value, a.value)) return false;
    return a.order < b.order;
  }
}
