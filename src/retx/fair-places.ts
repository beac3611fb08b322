/** A thing in its place, between those of its source that came before and after it. */
interface Place<T> {
  readonly thing: T;
  before: Place<T> | undefined;
  after: Place<T> | undefined;
}

/** What one source has. */
class Share<T> {
  readonly places = new Map<T, Place<T>>();
  /** The one that came last. */
  last: Place<T> | undefined;

  get size(): number {
    return this.places.size;
  }

  add(thing: T): void {
    const place: Place<T> = { thing, before: this.last, after: undefined };
    if (this.last !== undefined) this.last.after = place;
    this.last = place;
    this.places.set(thing, place);
  }

  delete(thing: T): boolean {
    const place = this.places.get(thing);
    if (place === undefined) return false;
    this.places.delete(thing);
    const { before, after } = place;
    if (before !== undefined) before.after = after;
    if (after !== undefined) after.before = before;
    else this.last = before;
    return true;
  }
}

/**
 * Places that sources share, for as long as each thing stays. Where all are taken, the source that
 * has most gives up the one that it took last, to one that has fewer. So any number of sources that
 * take all they can get come to have as much, and who comes next finds as much again, also where
 * things stay for minutes and whoever only found what others have left would find nothing.
 *
 * Whoever keeps all places taken makes nothing slower: each step costs the same, however many
 * places and sources there are.
 */
export class FairPlaces<T, Source = string> {
  readonly #placesMax: number;
  readonly #giveUp: (thing: T) => void;
  readonly #shares = new Map<Source, Share<T>>();
  /** The sources that have so many. */
  readonly #bySize = new Map<number, Set<Source>>();
  /** What the source has that has most. */
  #most = 0;
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

  /** Whether a source has any. */
  has(source: Source): boolean {
    return this.#shares.has(source);
  }

  /** A place for a thing; false when all are taken and nobody has more than `source` would have. */
  take(source: Source, thing: T): boolean {
    if (this.#size >= this.#placesMax) {
      const few = (this.#shares.get(source)?.size ?? 0) + 1;
      const [richest] = this.#most > few ? (this.#bySize.get(this.#most) ?? []) : [];
      if (richest === undefined || !this.freeLast(richest)) return false;
    }
    const share = this.#shares.get(source) ?? new Share<T>();
    this.#shares.set(source, share);
    share.add(thing);
    this.#size += 1;
    this.#resize(source, share.size - 1, share.size);
    return true;
  }

  /** The thing is gone. Once its place was given away, it does nothing. */
  leave(source: Source, thing: T): void {
    const share = this.#shares.get(source);
    if (share?.delete(thing) !== true) return;
    this.#size -= 1;
    if (share.size === 0) this.#shares.delete(source);
    this.#resize(source, share.size + 1, share.size);
  }

  /** Has a source give up the one that it took last; false when it has none. */
  freeLast(source: Source): boolean {
    const last = this.#shares.get(source)?.last;
    if (last === undefined) return false;
    this.leave(source, last.thing);
    this.#giveUp(last.thing);
    return true;
  }

  #resize(source: Source, from: number, to: number): void {
    const before = this.#bySize.get(from);
    before?.delete(source);
    if (before?.size === 0) this.#bySize.delete(from);
    if (to > 0) {
      const after = this.#bySize.get(to) ?? new Set<Source>();
      this.#bySize.set(to, after.add(source));
    }
    // Sizes change by one: where nobody has as much any more, this source has one less.
    if (to > this.#most || !this.#bySize.has(this.#most)) this.#most = to;
  }
}
