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
  readonly #ofAsker = new Map<AskerId, number>();
  readonly #ofSource = new Map<string, number>();

  sizeOf(asker: AskerId): number {
    return this.#ofAsker.get(asker) ?? 0;
  }

  sizeOfSource(source: string): number {
    return this.#ofSource.get(source) ?? 0;
  }

  add({ asker, source }: ReadOwner): void {
    this.#ofAsker.set(asker, this.sizeOf(asker) + 1);
    this.#ofSource.set(source, this.sizeOfSource(source) + 1);
  }

  /** The store has answered one of them. */
  remove({ asker, source }: ReadOwner): void {
    discount(this.#ofAsker, asker);
    discount(this.#ofSource, source);
  }
}

function discount<Key>(counts: Map<Key, number>, key: Key): void {
  const left = (counts.get(key) ?? 1) - 1;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
}
