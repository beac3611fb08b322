import { assert, Heap, type Instant } from "../base/index.ts";

/** Names one entry of a {@link TimerQueue}; that of an entry which has left is harmless. */
export interface TimerHandle {
  readonly at: Instant;
}

interface Entry<T> extends TimerHandle {
  readonly item: T;
  isLive: boolean;
}

/** Below this many dead entries a sweep costs more than the memory is worth. */
const DEAD_MIN = 64;

/**
 * Items that become due, earliest first; equal instants leave in the order in which they came.
 *
 * `push`, `cancel` and `due` cost O(log n), amortised. A cancelled entry is only marked, and swept
 * when the dead outnumber the living: memory stays within three times `capacity`.
 */
export class TimerQueue<T> {
  readonly #capacity: number;
  #heap: Heap<Entry<T>> = emptyHeap();
  #live = 0;

  /** @throws RangeError when `capacity` is not a positive whole number */
  constructor(options: { readonly capacity: number }) {
    if (!Number.isSafeInteger(options.capacity) || options.capacity < 1) {
      throw new RangeError("capacity must be a positive whole number");
    }
    this.#capacity = options.capacity;
  }

  /** How many items wait. */
  get size(): number {
    return this.#live;
  }

  /** Whether another `push` would break the bound; the owner sheds load before that. */
  get isFull(): boolean {
    return this.#live >= this.#capacity;
  }

  /** Queues `item` for the instant `at`; the queue must not be full. */
  push(at: Instant, item: T): TimerHandle {
    assert(!this.isFull, "a timer queue has room");
    assert(!Number.isNaN(at), "an instant is a number");
    const entry = { at, item, isLive: true };
    this.#heap.push(entry);
    this.#live += 1;
    return entry;
  }

  /** Takes an item out before it is due; false when it has left already. */
  cancel(handle: TimerHandle): boolean {
    const entry = handle as Entry<T>;
    if (!entry.isLive) return false;
    entry.isLive = false;
    this.#live -= 1;
    if (this.#heap.size - this.#live > this.#live + DEAD_MIN) this.#sweep();
    return true;
  }

  /** Takes the earliest item that is due at `now`. */
  due(now: Instant): T | undefined {
    const entry = this.#earliest();
    if (entry === undefined || entry.at > now) return undefined;
    this.#heap.pop();
    entry.isLive = false;
    this.#live -= 1;
    return entry.item;
  }

  /** When the earliest item becomes due; `Infinity` while there is none. */
  deadline(): Instant {
    return this.#earliest()?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Drops everything. */
  clear(): void {
    for (let entry = this.#heap.pop(); entry !== undefined; entry = this.#heap.pop()) {
      entry.isLive = false;
    }
    this.#live = 0;
  }

  #earliest(): Entry<T> | undefined {
    let entry = this.#heap.peek();
    while (entry !== undefined && !entry.isLive) {
      this.#heap.pop();
      entry = this.#heap.peek();
    }
    return entry;
  }

  #sweep(): void {
    const kept = emptyHeap<T>();
    for (let entry = this.#heap.pop(); entry !== undefined; entry = this.#heap.pop()) {
      if (entry.isLive) kept.push(entry);
    }
    this.#heap = kept;
  }
}

function emptyHeap<T>(): Heap<Entry<T>> {
  return new Heap((a, b) => a.at < b.at);
}
