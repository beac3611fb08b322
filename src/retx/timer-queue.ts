import { assert, type Instant } from "../base/index.ts";

/** Names one entry of a {@link TimerQueue}; that of an entry which has left is harmless. */
export interface TimerHandle {
  readonly at: Instant;
}

interface Entry<T> extends TimerHandle {
  readonly item: T;
  /** Of equal instants the lower one leaves first. */
  readonly order: number;
  /** Where it stands in the heap; -1 once it has left. */
  place: number;
}

/**
 * Items that become due, earliest first; equal instants leave in the order in which they came.
 *
 * A binary heap whose entries know their places: most timers are cancelled, and one that stayed
 * until its time would keep whatever it is about. `push`, `cancel` and `due` cost O(log n).
 */
export class TimerQueue<T> {
  readonly #capacity: number;
  readonly #heap: Entry<T>[] = [];
  #pushed = 0;

  /** @throws RangeError when `capacity` is not a positive whole number */
  constructor(options: { readonly capacity: number }) {
    if (!Number.isSafeInteger(options.capacity) || options.capacity < 1) {
      throw new RangeError("capacity must be a positive whole number");
    }
    this.#capacity = options.capacity;
  }

  /** How many items wait. */
  get size(): number {
    return this.#heap.length;
  }

  /** Whether another `push` would break the bound; the owner sheds load before that. */
  get isFull(): boolean {
    return this.#heap.length >= this.#capacity;
  }

  /** Queues `item` for the instant `at`; the queue must not be full. */
  push(at: Instant, item: T): TimerHandle {
    assert(!this.isFull, "a timer queue has room");
    assert(!Number.isNaN(at), "an instant is a number");
    const entry = { at, item, order: this.#pushed, place: this.#heap.length };
    this.#pushed += 1;
    this.#heap.push(entry);
    this.#rise(entry, entry.place);
    return entry;
  }

  /** Takes an item out before it is due; false when it has left already. */
  cancel(handle: TimerHandle): boolean {
    const entry = handle as Entry<T>;
    if (entry.place < 0) return false;
    this.#remove(entry);
    return true;
  }

  /** Takes the earliest item that is due at `now`. */
  due(now: Instant): T | undefined {
    const [entry] = this.#heap;
    if (entry === undefined || entry.at > now) return undefined;
    this.#remove(entry);
    return entry.item;
  }

  /** The earliest item, due or not. */
  get first(): T | undefined {
    return this.#heap[0]?.item;
  }

  /** When the earliest item becomes due; `Infinity` while there is none. */
  deadline(): Instant {
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Drops everything. */
  clear(): void {
    for (const entry of this.#heap) entry.place = -1;
    this.#heap.length = 0;
  }

  /** The last entry goes where this one stood, and from there up or down. */
  #remove(entry: Entry<T>): void {
    const { place } = entry;
    const last = this.#heap.pop() as Entry<T>;
    entry.place = -1;
    if (last === entry) return;
    this.#sink(last, place);
    if (last.place === place) this.#rise(last, place);
  }

  #rise(entry: Entry<T>, from: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = this.#heap[parent] as Entry<T>;
      if (!isFirst(entry, above)) break;
      this.#put(above, place);
      place = parent;
    }
    this.#put(entry, place);
  }

  #sink(entry: Entry<T>, from: number): void {
    const heap = this.#heap;
    let place = from;
    for (let child = 2 * place + 1; child < heap.length; child = 2 * place + 1) {
      const right = heap[child + 1];
      if (right !== undefined && isFirst(right, heap[child] as Entry<T>)) child += 1;
      const below = heap[child] as Entry<T>;
      if (isFirst(entry, below)) break;
      this.#put(below, place);
      place = child;
    }
    this.#put(entry, place);
  }

  #put(entry: Entry<T>, place: number): void {
    this.#heap[place] = entry;
    entry.place = place;
  }
}

function isFirst(a: TimerHandle & { order: number }, b: TimerHandle & { order: number }): boolean {
  return a.at === b.at ? a.order < b.order : a.at < b.at;
}
