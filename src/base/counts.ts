/** How many there are of each kind; of a kind of which there are none, nothing is kept. */
export class Counts<Kind = string> {
  readonly #counts = new Map<Kind, number>();
  #total = 0;

  /** Kinds of which there are some. */
  get size(): number {
    return this.#counts.size;
  }

  /** How many there are of all kinds. */
  get total(): number {
    return this.#total;
  }

  of(kind: Kind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** Each kind with how many there are. */
  entries(): IterableIterator<[Kind, number]> {
    return this.#counts.entries();
  }

  add(kind: Kind): void {
    this.#total += 1;
    this.#counts.set(kind, this.of(kind) + 1);
  }

  /** One less; of none there are none. */
  remove(kind: Kind): void {
    const count = this.of(kind);
    if (count === 0) return;
    this.#total -= 1;
    if (count > 1) this.#counts.set(kind, count - 1);
    else this.#counts.delete(kind);
  }

  clear(): void {
    this.#counts.clear();
    this.#total = 0;
  }
}
