import { Counts } from "../../base/index.ts";

/**
 * Shares out the cells of cover that the last hops of a node send: what they send costs who asks
 * for it one cell. Each source has as many a second as any other, and its circuits have as many as
 * each other; whoever asks for fewer has those. So the beats of a circuit depend on how many there
 * are, and never on what it has to say.
 */
export class CoverShare {
  readonly #cellsPerSecondMax: number;
  /** Circuits with cover, by whom they count for. */
  readonly #circuits = new Counts();

  constructor(cellsPerSecondMax: number) {
    this.#cellsPerSecondMax = cellsPerSecondMax;
  }

  /** A circuit of `source` begins to have cover. */
  enter(source: string): void {
    this.#circuits.add(source);
  }

  /** It has none any more. */
  leave(source: string): void {
    this.#circuits.remove(source);
  }

  /** The pause before the next beat of a circuit of `source` that wants this one. */
  pauseMs(source: string, wantedMs: number): number {
    const circuits = this.#circuits.of(source) * this.#circuits.size;
    return Math.max(wantedMs, (1_000 * circuits) / this.#cellsPerSecondMax);
  }
}
