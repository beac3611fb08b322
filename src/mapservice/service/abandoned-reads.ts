import { Counts } from "../../base/index.ts";
import type { AskerId } from "./protocol.ts";

/** Who has left a read of the store behind. */
export interface ReadOwner {
  readonly asker: AskerId;
  readonly source: string;
}

/**
 * Counts the reads of the store for which nobody waits any more, by who was the last to. They
 * cannot be called off, so they count as gets of his until the store has answered.
 */
export class AbandonedReads {
  readonly #ofAsker = new Counts<AskerId>();
  readonly #ofSource = new Counts();

  sizeOf(asker: AskerId): number {
    return this.#ofAsker.of(asker);
  }

  sizeOfSource(source: string): number {
    return this.#ofSource.of(source);
  }

  add({ asker, source }: ReadOwner): void {
    this.#ofAsker.add(asker);
    this.#ofSource.add(source);
  }

  /** The store has answered one of them. */
  remove({ asker, source }: ReadOwner): void {
    this.#ofAsker.remove(asker);
    this.#ofSource.remove(source);
  }
}
