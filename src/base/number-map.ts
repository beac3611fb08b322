import { assert } from "./assert.ts";

/** Slots of a map that has not grown. */
const SLOTS_MIN = 16;

/** What stands in a slot that no key has: keys are not negative. */
const FREE = -1;

/**
 * A map from whole numbers, 0 or more, for what comes and goes all the time: requests that are
 * open, frames that are on their way.
 *
 * The engine's own map makes a new table after every few dozen deletions, and the old one refers to
 * the new one. Once one of them has grown old, all that follow, and all that ever was in them,
 * count as alive until the next full collection. Here a place is used again, and a table that was
 * replaced refers to nothing that came later.
 *
 * Open addressing with linear probing, half full at the most. Keys that follow each other, as
 * numbers of requests do, never meet; who may choose them freely makes a search as long as the map
 * is large, so those of strangers belong in here only where their number has a limit.
 */
export class NumberMap<V extends NonNullable<unknown>> {
  #keys: number[] = new Array<number>(SLOTS_MIN).fill(FREE);
  #values: (V | undefined)[] = new Array<V | undefined>(SLOTS_MIN).fill(undefined);
  #mask = SLOTS_MIN - 1;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): V | undefined {
    return this.#values[this.#slotOf(key)];
  }

  has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  set(key: number, value: V): void {
    assert(key >= 0, "a key is not negative");
    let slot = this.#slotOf(key);
    if (this.#keys[slot] !== key) {
      if (2 * this.#size >= this.#mask) {
        this.#resize(2 * (this.#mask + 1));
        slot = this.#slotOf(key);
      }
      this.#keys[slot] = key;
      this.#size += 1;
    }
    this.#values[slot] = value;
  }

  /** False when there was none. */
  delete(key: number): boolean {
    const slot = this.#slotOf(key);
    if (this.#values[slot] === undefined) return false;
    this.#free(slot);
    this.#size -= 1;
    if (32 * this.#size < this.#mask && this.#mask >= SLOTS_MIN) this.#resize((this.#mask + 1) / 2);
    return true;
  }

  clear(): void {
    this.#size = 0;
    this.#resize(SLOTS_MIN);
  }

  /** As they are now, the lowest first. */
  keys(): readonly number[] {
    return this.#size === 0 ? NONE : this.#keys.filter((key) => key !== FREE).sort(ascending);
  }

  /** As they are now, that of the lowest key first. */
  values(): readonly V[] {
    return this.keys().map((key) => this.get(key) as V);
  }

  /** Where the key is, or would be. */
  #slotOf(key: number): number {
    const keys = this.#keys;
    const mask = this.#mask;
    let slot = key & mask;
    for (;;) {
      const found = keys[slot];
      if (found === key || found === FREE) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Frees a slot and closes the gap: a search must not end before what comes after it. */
  #free(freed: number): void {
    const [keys, values, mask] = [this.#keys, this.#values, this.#mask];
    let gap = freed;
    for (let slot = (gap + 1) & mask; ; slot = (slot + 1) & mask) {
      const key = keys[slot] as number;
      if (key === FREE) break;
      if (((slot - key) & mask) < ((slot - gap) & mask)) continue;
      keys[gap] = key;
      values[gap] = values[slot];
      gap = slot;
    }
    keys[gap] = FREE;
    values[gap] = undefined;
  }

  #resize(slots: number): void {
    const [keys, values] = [this.#keys, this.#values];
    this.#keys = new Array<number>(slots).fill(FREE);
    this.#values = new Array<V | undefined>(slots).fill(undefined);
    this.#mask = slots - 1;
    if (this.#size === 0) return;
    for (const [i, key] of keys.entries()) {
      if (key === FREE) continue;
      const slot = this.#slotOf(key);
      this.#keys[slot] = key;
      this.#values[slot] = values[i];
    }
  }
}

const NONE: readonly number[] = [];

function ascending(a: number, b: number): number {
  return a - b;
}
