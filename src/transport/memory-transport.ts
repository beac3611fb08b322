import {
  type Cancel,
  type Clock,
  CulvertError,
  concatBytes,
  equalBytes,
  Heap,
  type Instant,
  onAbort,
  throwIfAborted,
  toHex,
} from "../base/index.ts";
import { systemClock } from "../io/clock.ts";
import type { GetOptions, PutOptions, Receipt, Transport } from "./transport.ts";

/** How a {@link MemoryTransport} behaves. */
export interface MemoryTransportOptions {
  /** Exact length of every cell, in bytes. */
  readonly payloadSize: number;
  /** Cells that are kept at once; each costs its length and some 200 bytes. */
  readonly cellsMax: number;
  /** Gets that may wait at once; each costs some 500 bytes and a timer. */
  readonly waitersMax: number;
  /** The longest life a put is granted. */
  readonly ttlSecondsMax: number;
}

/** Tuned for tests and for two peers in one process: one gigabyte of cells for a week. */
export const MEMORY_TRANSPORT_DEFAULTS: MemoryTransportOptions = Object.freeze({
  payloadSize: 1_900,
  cellsMax: 524_288,
  waitersMax: 65_536,
  ttlSecondsMax: 7 * 24 * 3_600,
});

/** More than the one entry that each put adds, so that the queue shrinks. */
const EVICTION_STEPS = 4;

interface Place {
  readonly key: string;
  readonly cell: Uint8Array;
  expiresAt: Instant;
  /** Where the expiry queue has this place; a life that was extended since is queued again. */
  queuedAt: Instant;
}

interface Waiter {
  give(place: Place): void;
  fail(error: Error): void;
}

/**
 * A Map in this process: write-once places with a life time, gets that wait, nothing ever lost.
 *
 * Expired cells make room when it is needed; live ones never do. It has no capabilities, so it
 * needs no binding and protects nothing: for tests, examples and peers that share a process.
 *
 * @example
 * ```ts
 * const transport = new MemoryTransport({ payloadSize: 1024 });
 * await transport.put(frameId, cell);
 * const same = await transport.get(frameId, { waitMs: 1_000 });
 * ```
 */
export class MemoryTransport implements Transport, Disposable {
  readonly payloadSize: number;
  readonly handsOver = true;
  readonly #options: MemoryTransportOptions;
  readonly #clock: Clock;
  readonly #places = new Map<string, Place>();
  readonly #expiring = new Heap<Place>((a, b) => a.queuedAt < b.queuedAt);
  readonly #waiters = new Map<string, Set<Waiter>>();
  #waiting = 0;
  #isClosed = false;

  /** @throws RangeError when a size or limit is not a positive whole number */
  constructor(options: Partial<MemoryTransportOptions> & { readonly clock?: Clock } = {}) {
    const { clock, ...given } = options;
    this.#options = { ...MEMORY_TRANSPORT_DEFAULTS, ...given };
    for (const [name, value] of Object.entries(this.#options)) {
      if (!Number.isSafeInteger(value) || value < 1) {
        throw new RangeError(`${name} must be a positive whole number, not ${value}`);
      }
    }
    this.payloadSize = this.#options.payloadSize;
    this.#clock = clock ?? systemClock;
  }

  /** How many cells are kept, expired ones that nobody needed to evict included. */
  get size(): number {
    return this.#places.size;
  }

  async put(frameId: Uint8Array, cell: Uint8Array, options: PutOptions = {}): Promise<Receipt> {
    throwIfAborted(options.signal);
    this.#throwIfClosed();
    if (cell.length !== this.payloadSize) {
      const detail = { length: cell.length, expected: this.payloadSize };
      throw new CulvertError("CULVERT_REFUSED", "a cell of another size", { detail });
    }
    const now = this.#clock.now();
    const key = toHex(frameId);
    const held = this.#live(key, now);
    if (held !== undefined && !equalBytes(held.cell, cell)) {
      throw new CulvertError("CULVERT_CONFLICT");
    }
    const expiresAt = now + 1_000 * this.#grant(options.ttlSeconds);
    const place =
      held ?? this.#store({ key, cell: concatBytes(cell), expiresAt, queuedAt: expiresAt });
    place.expiresAt = Math.max(place.expiresAt, expiresAt);
    return { ttlSeconds: secondsLeft(place, now) };
  }

  async get(frameId: Uint8Array, options: GetOptions = {}): Promise<Uint8Array> {
    throwIfAborted(options.signal);
    this.#throwIfClosed();
    const key = toHex(frameId);
    const held = this.#live(key, this.#clock.now());
    if (held !== undefined) return this.#give(held, options);
    const waitMs = options.waitMs ?? 0;
    if (!(waitMs > 0)) throw new CulvertError("CULVERT_NOT_FOUND");
    if (this.#waiting >= this.#options.waitersMax) {
      throw new CulvertError("CULVERT_BUSY", "too many gets wait");
    }
    return this.#wait(key, waitMs, options);
  }

  /** Rejects every waiting get, and whatever is asked later, with `CULVERT_CLOSED`. */
  close(): void {
    this.#isClosed = true;
    for (const waiters of this.#waiters.values()) {
      for (const waiter of waiters) waiter.fail(new CulvertError("CULVERT_CLOSED"));
    }
    this.#places.clear();
    this.#expiring.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED");
  }

  #grant(asked: number | undefined): number {
    const { ttlSecondsMax } = this.#options;
    if (asked === undefined) return ttlSecondsMax;
    return asked > 1 ? Math.min(asked, ttlSecondsMax) : 1; // NaN is no more than 1
  }

  #live(key: string, now: Instant): Place | undefined {
    const place = this.#places.get(key);
    return place !== undefined && place.expiresAt > now ? place : undefined;
  }

  #store(place: Place): Place {
    this.#evictExpired();
    if (this.#isFull()) throw new CulvertError("CULVERT_FULL");
    this.#places.set(place.key, place);
    this.#expiring.push(place);
    for (const waiter of this.#waiters.get(place.key) ?? []) waiter.give(place);
    return place;
  }

  #isFull(): boolean {
    return this.#places.size >= this.#options.cellsMax;
  }

  /** Goes on until there is room, but otherwise takes few steps: no put pays for a million. */
  #evictExpired(): void {
    const now = this.#clock.now();
    for (let steps = 0; steps < EVICTION_STEPS || this.#isFull(); steps++) {
      const place = this.#expiring.peek();
      if (place === undefined || place.queuedAt > now) return;
      this.#expiring.pop();
      // The address may hold a newer cell by now, with an entry of its own in the queue.
      if (this.#places.get(place.key) !== place) continue;
      if (place.expiresAt <= now) {
        this.#places.delete(place.key);
      } else {
        place.queuedAt = place.expiresAt;
        this.#expiring.push(place);
      }
    }
  }

  #give(place: Place, options: GetOptions): Uint8Array {
    options.onTtl?.(secondsLeft(place, this.#clock.now()));
    return place.cell.slice();
  }

  #wait(key: string, waitMs: number, options: GetOptions): Promise<Uint8Array> {
    const { signal, background = false } = options;
    return new Promise((resolve, reject) => {
      const waiters = this.#waiters.get(key) ?? new Set();
      const cancels: Cancel[] = [];
      const leave = (): void => {
        for (const cancel of cancels) cancel();
        waiters.delete(waiter);
        if (waiters.size === 0) this.#waiters.delete(key);
        this.#waiting -= 1;
      };
      const waiter: Waiter = {
        give: (place) => {
          leave();
          resolve(this.#give(place, options));
        },
        fail: (error) => {
          leave();
          reject(error);
        },
      };
      this.#waiters.set(key, waiters.add(waiter));
      this.#waiting += 1;
      const expire = (): void => waiter.fail(new CulvertError("CULVERT_NOT_FOUND"));
      const until = this.#clock.now() + waitMs;
      cancels.push(this.#clock.schedule(until, expire, { background }));
      cancels.push(onAbort(signal, waiter.fail));
    });
  }
}

function secondsLeft({ expiresAt }: Place, now: Instant): number {
  return Math.floor((expiresAt - now) / 1_000);
}
