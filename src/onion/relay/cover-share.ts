/**
 * Shares out the cells of cover that the last hops of a node send: what they send costs who asks
 * for it one cell. Each source has as many a second as any other, and its circuits have as many as
 * each other; whoever asks for fewer has those. So the beats of a circuit depend on how many there
 * are, and never on what it has to say.
 */
export class CoverShare {
  readonly #cellsPerSecondMax: number;
  /** Circuits with cover, by whom they count for. */
  readonly #circuits = new Map<string, number>();

  constructor(cellsPerSecondMax: number) {
    this.#cellsPerSecondMax = cellsPerSecondMax;
  }

  /** A circuit of `source` begins to have cover. */
  enter(source: string): void {
    this.#circuits.set(source, (this.#circuits.get(source) ?? 0) + 1);
  }

  /** It has none any more. */
  leave(source: string): void {
    const left = (this.#circuits.get(source) ?? 1) - 1;
    if (left > 0) this.#circuits.set(source, left);
    else this.#circuits.delete(source);
  }

  /** The pause before the next beat of a circuit of `source` that wants this one. */
  pauseMs(source: string, wantedMs: number): number {
    const circuits = (this.#circuits.get(source) ?? 1) * this.#circuits.size;
    return Math.max(wantedMs, (1_000 * circuits) / this.#cellsPerSecondMax);
  }
}
