/**
 * Places that sources share, for as long as each thing stays. Where all are taken, the source that
 * has most gives up the one that it took last, to one that has fewer. So any number of sources that
 * take all they can get come to have as much, and who comes next finds as much again, also where
 * things stay for minutes and whoever only found what others have left would find nothing.
 */
export class FairPlaces<T> {
  readonly #placesMax: number;
  readonly #giveUp: (thing: T) => void;
  /** Of each source, the one that came last is last. */
  readonly #taken = new Map<string, Set<T>>();
  #size = 0;

  /** @param giveUp has to end a thing that has lost its place, and may `leave` it too */
  constructor(placesMax: number, giveUp: (thing: T) => void) {
    this.#placesMax = placesMax;
    this.#giveUp = giveUp;
  }

  /** How many are taken. */
  get size(): number {
    return this.#size;
  }

  /** A place for a thing; false when all are taken and nobody has more than `source` would have. */
  take(source: string, thing: T): boolean {
    const few = (this.#taken.get(source)?.size ?? 0) + 1;
    if (this.#size >= this.#placesMax && !this.#freeOne(few)) return false;
    this.#taken.set(source, (this.#taken.get(source) ?? new Set()).add(thing));
    this.#size += 1;
    return true;
  }

  /** The thing is gone. Once its place was given away, it does nothing. */
  leave(source: string, thing: T): void {
    const own = this.#taken.get(source);
    if (own?.delete(thing) !== true) return;
    this.#size -= 1;
    if (own.size === 0) this.#taken.delete(source);
  }

  /** Takes a place from whoever has most, unless that is no more than `few`. */
  #freeOne(few: number): boolean {
    let [richest, most] = ["", few];
    for (const [source, { size }] of this.#taken) {
      if (size > most) [richest, most] = [source, size];
    }
    if (most === few) return false;
    const last = [...(this.#taken.get(richest) ?? [])].at(-1);
    if (last === undefined) return false;
    this.leave(richest, last);
    this.#giveUp(last);
    return true;
  }
}
