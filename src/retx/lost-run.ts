/**
 * How many frames a Map has lost that has lost one. It may have lost all, and a reader misses them
 * one by one, each after a long wait: a file would take days. So when the frame behind those that
 * were put again is missing too, twice as many are taken to be.
 */
export class LostRun {
  #first = -1;
  #end = -1;

  /** The reader waits for this frame in vain. Gives the one behind the last that is missing. */
  waitsFor(index: number): number {
    // It was put again, and so were those behind it: they may be there by now.
    if (index >= this.#first && index < this.#end) return index + 1;
    const length = index === this.#end ? 2 * (this.#end - this.#first) : 1;
    this.#first = index;
    this.#end = index + length;
    return this.#end;
  }
}
