import { Counts } from "../base/index.ts";

/**
 * Counts who has how many of things that many share: none may have more than are free. One alone
 * has half of them; of any number that take all they can get, each comes to have as much, and who
 * comes next finds as much again.
 *
 * That holds for things which come back soon and one by one. Where they come back all at once, or
 * not for long, each who comes has half of what is left, and after a dozen there is nothing:
 * `FairPlaces` is for those, or `takeFirst`.
 */
export class FairShare {
  readonly #counts = new Counts();

  /** Counts one more for `key`; false when that has as many as are free. */
  take(key: string, free: number): boolean {
    if (this.#counts.of(key) >= free) return false;
    this.#counts.add(key);
    return true;
  }

  /** Counts the first one for `key`; false when that has one. */
  takeFirst(key: string): boolean {
    return this.take(key, 1);
  }

  /** One that was counted for `key` is free again. */
  leave(key: string): void {
    this.#counts.remove(key);
  }
}
