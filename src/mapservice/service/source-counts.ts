/**
 * Who has how much of something that many share. While there is room each takes what it likes; once
 * there is none, a source that has less than an equal part gets it from whoever has most.
 */
export class SourceCounts {
  readonly #counts = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(source: string): number {
    return this.#counts.get(source) ?? 0;
  }

  add(source: string, count: number): void {
    this.#total += count;
    this.#counts.set(source, this.of(source) + count);
  }

  remove(source: string, count: number): void {
    this.#total -= count;
    const left = this.of(source) - count;
    if (left > 0) this.#counts.set(source, left);
    else this.#counts.delete(source);
  }

  /**
   * Who has to make room for `count` more of `source`, of `max` in all: whoever has most, if that
   * is more than `source` would have. Nobody for a source that has its part. The search is as long
   * as there are sources, so it is only made for those that have less.
   */
  debtor(source: string, count: number, max: number): string | undefined {
    const own = this.of(source);
    const sources = this.#counts.size + (own === 0 ? 1 : 0);
    if (own > 0 && (own + count) * sources > max) return undefined;
    let [most, debtor]: [number, string | undefined] = [own, undefined];
    for (const [other, has] of this.#counts) {
      if (has > most && other !== source) [most, debtor] = [has, other];
    }
    return debtor;
  }
}
