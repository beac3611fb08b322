/** How many there are of each kind; of a kind of which there are none, nothing is kept. */
export class Counts<Kind = string> {
  readonly #counts = new Map<Kind, number>();

  /** Kinds of which there are some. */
  get size(): number {
    return this.#counts.size;
  }

  of(kind: Kind): number {
    return this.#counts.get(kind) ?? 0;
  }

  add(kind: Kind): void {
    this.#counts.set(kind, this.of(kind) + 1);
  }

  /** One less; of none there are none. */
  remove(kind: Kind): void {
    const left = this.of(kind) - 1;
    if (left > 0) this.#counts.set(kind, left);
    else this.#counts.delete(kind);
  }

  clear(): void {
    this.#counts.clear();
  }
}
