/** A map of at most `capacity` entries that forgets the one that was not used for longest. */
export class LruMap<K, V> {
  readonly #capacity: number;
  readonly #entries = new Map<K, V>();
  /**
   * Stands behind the last key that was forgotten. A new iterator would walk over the places of all
   * keys that were taken out since the engine packed its table the last time.
   */
  readonly #oldest = this.#entries.keys();
  /** The key that was used last: it need not be moved again. */
  #latest: K | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** All values, the one that was not used for longest first. */
  values(): IterableIterator<V> {
    return this.#entries.values();
  }

  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined || key === this.#latest) return value;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#latest = key;
    return value;
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    this.#latest = key;
    if (this.#entries.size <= this.#capacity) return;
    const oldest = this.#oldest.next();
    if (oldest.done !== true) this.#entries.delete(oldest.value);
  }
}
