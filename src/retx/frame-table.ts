import { assert } from "../base/index.ts";

/** Slots of a table that has not grown. */
const SLOTS_MIN = 16;

/**
 * A run of frames in columns, by index. An object for each of them, with its times, the handle of
 * its timer and its places in a map and a heap, was 250 bytes; here it is 38.
 *
 * The columns are rings: a slot is used again once its frame has left, and there are less than
 * twice as many (and 16 at least) as the run from `base` to `next` has been long. Their owner reads
 * and writes them at the slot that `find` gives.
 */
export class FrameTable {
  /** What the owner calls its states; 0 where there is no frame. */
  state: Uint8Array = new Uint8Array(SLOTS_MIN);
  selected: Uint8Array = new Uint8Array(SLOTS_MIN);
  puts: Uint32Array = new Uint32Array(SLOTS_MIN);
  sentAt: Float64Array = new Float64Array(SLOTS_MIN);
  storedAt: Float64Array = new Float64Array(SLOTS_MIN);
  expiresAt: Float64Array = new Float64Array(SLOTS_MIN);
  refreshAt: Float64Array = new Float64Array(SLOTS_MIN);
  #base: number;
  #next: number;
  #size = 0;

  /** `first` is the index of the first frame. */
  constructor(first: number) {
    this.#base = first;
    this.#next = first;
  }

  /** The lowest index that may be there, or the next one. */
  get base(): number {
    return this.#base;
  }

  /** The index that the next frame will have. */
  get next(): number {
    return this.#next;
  }

  /** Frames that are there. */
  get size(): number {
    return this.#size;
  }

  /** The slot of a frame; -1 when there is none of this index. Good until a frame is added. */
  find(index: number): number {
    if (!(index >= this.#base && index < this.#next)) return -1;
    const slot = index % this.state.length;
    return this.state[slot] === 0 ? -1 : slot;
  }

  /** Adds the next frame and gives its slot. */
  add(state: number): number {
    if (this.#next - this.#base === this.state.length) this.#grow();
    const slot = this.#next % this.state.length;
    this.#next += 1;
    this.#size += 1;
    this.state[slot] = state;
    this.selected[slot] = 0;
    this.puts[slot] = 0;
    this.sentAt[slot] = Number.NEGATIVE_INFINITY;
    this.storedAt[slot] = Number.NEGATIVE_INFINITY;
    this.expiresAt[slot] = Number.POSITIVE_INFINITY;
    this.refreshAt[slot] = Number.POSITIVE_INFINITY;
    return slot;
  }

  /** The frame in this slot leaves. */
  remove(slot: number): void {
    assert(this.state[slot] !== 0, "a frame leaves once");
    this.state[slot] = 0;
    this.#size -= 1;
  }

  /** Moves the base to this index; what is below it has left. */
  passTo(base: number): void {
    this.#base = Math.max(this.#base, base);
  }

  /** Moves the base over what has left. */
  skipRemoved(): void {
    while (this.#base < this.#next && this.find(this.#base) < 0) this.#base += 1;
  }

  #grow(): void {
    const { length } = this.state;
    const from = this.#base % length;
    const to = this.#base % (2 * length);
    this.state = spread(this.state, new Uint8Array(2 * length), from, to);
    this.selected = spread(this.selected, new Uint8Array(2 * length), from, to);
    this.puts = spread(this.puts, new Uint32Array(2 * length), from, to);
    this.sentAt = spread(this.sentAt, new Float64Array(2 * length), from, to);
    this.storedAt = spread(this.storedAt, new Float64Array(2 * length), from, to);
    this.expiresAt = spread(this.expiresAt, new Float64Array(2 * length), from, to);
    this.refreshAt = spread(this.refreshAt, new Float64Array(2 * length), from, to);
  }
}

/** A ring that is full, from one of its slots on, in one that is larger. */
function spread<T extends Uint8Array | Uint32Array | Float64Array>(
  ring: T,
  larger: T,
  from: number,
  to: number,
): T {
  for (let i = 0; i < ring.length; i++) {
    larger[(to + i) % larger.length] = ring[(from + i) % ring.length] ?? 0;
  }
  return larger;
}
