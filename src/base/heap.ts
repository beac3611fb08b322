/**
 * A binary heap ordered by `before`; ties leave in the order in which they came, so that a run with
 * one seed has one trace.
 */
export class Heap<T> {
  readonly #before: (a: T, b: T) => boolean;
  readonly #entries: { value: T; order: number }[] = [];
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
    const entries = this.#entries;
    const entry = { value, order: this.#pushed++ };
    entries.push(entry);
    let at = entries.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = entries[parent] as { value: T; order: number };
      if (!this.#isFirst(entry, above)) break;
      entries[at] = above;
      at = parent;
    }
    entries[at] = entry;
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

  #sink(entry: { value: T; order: number }): void {
    const entries = this.#entries;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= entries.length) break;
      const right = entries[child + 1];
      if (right !== undefined && this.#isFirst(right, entries[child] as typeof entry)) child += 1;
      const below = entries[child] as typeof entry;
      if (!this.#isFirst(below, entry)) break;
      entries[at] = below;
      at = child;
    }
    entries[at] = entry;
  }

  #isFirst(a: { value: T; order: number }, b: { value: T; order: number }): boolean {
    if (this.#before(a.value, b.value)) return true;
    if (this.#before(b.value, a.value)) return false;
    return a.order < b.order;
  }
}
