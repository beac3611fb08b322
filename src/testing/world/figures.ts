import { Violation } from "./violation.ts";

/** What a core tells of itself, by name. */
export type Figures = { readonly [name: string]: number };

/**
 * Watches figures that tell how far a core has come: none falls while it lives, and no life begins
 * with more than was told before it, as what was not told is not known.
 */
export class FigureWatch {
  readonly #who: string;
  readonly #most = new Map<string, number>();
  readonly #last = new Map<string, number>();
  #lives = 0;

  constructor(who: string) {
    this.#who = who;
  }

  /** A core begins, the first one or one that goes on. */
  begin(): void {
    this.#lives += 1;
    this.#last.clear();
  }

  /** Compares them with the last ones. */
  see(figures: Figures): void {
    const isBeginning = this.#last.size === 0;
    for (const name in figures) {
      const value = figures[name] ?? 0;
      const last = this.#last.get(name) ?? 0;
      const most = this.#most.get(name) ?? 0;
      if (value < last) this.#break(`${name} falls from ${last} to ${value}`);
      if (isBeginning && this.#lives > 1 && value > most) {
        this.#break(`${name} begins at ${value}, and was ${most} at the most`);
      }
      this.#last.set(name, value);
      if (value > most) this.#most.set(name, value);
    }
  }

  #break(why: string): never {
    throw new Violation("figures", `${this.#who}: ${why}`);
  }
}
