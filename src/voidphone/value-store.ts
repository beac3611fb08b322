import { type Clock, type Instant, resolveLimits, toHex } from "../base/index.ts";
import type { VoidphoneEntry } from "./dht.ts";

/** Bounds of a {@link ValueStore}. */
export interface ValueStoreLimits {
  readonly valuesMax: number;
  readonly bytesMax: number;
}

/** Some 20 MiB when full. */
export const VOIDPHONE_STORE_LIMITS: ValueStoreLimits = Object.freeze({
  valuesMax: 16_384,
  bytesMax: 16 * 2 ** 20,
});

/** What one source takes up. */
interface Share {
  values: number;
  bytes: number;
}

interface Kept {
  readonly value: Uint8Array;
  readonly source: string;
  readonly until: Instant;
}

/**
 * Values in memory until their time is over. The last write of a key wins. When it is full, the
 * source that takes up most gives up its oldest values: nobody can push out what others keep.
 */
export class ValueStore {
  readonly #clock: Clock;
  readonly #limits: ValueStoreLimits;
  /** Oldest first. */
  readonly #values = new Map<string, Kept>();
  readonly #shares = new Map<string, Share>();
  #bytes = 0;
  /** No value expires before. */
  #soonest: Instant = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, limits: Partial<ValueStoreLimits> = {}) {
    this.#clock = clock;
    this.#limits = resolveLimits(VOIDPHONE_STORE_LIMITS, limits);
  }

  get size(): number {
    return this.#values.size;
  }

  /** Keeps a copy. */
  put({ key, value, source, ttlSeconds }: Omit<VoidphoneEntry, "replication">): void {
    const name = toHex(key);
    this.#drop(name);
    const until = this.#clock.now() + ttlSeconds * 1_000;
    this.#values.set(name, { value: value.slice(), source, until });
    this.#count(source, 1, value.length);
    this.#soonest = Math.min(this.#soonest, until);
    while (this.#values.size > this.#limits.valuesMax || this.#bytes > this.#limits.bytesMax) {
      this.#makeRoom();
    }
  }

  /** The value of a key, shared: not to be written to. */
  get(key: Uint8Array): Uint8Array | undefined {
    const name = toHex(key);
    const kept = this.#values.get(name);
    if (kept === undefined) return undefined;
    if (kept.until > this.#clock.now()) return kept.value;
    this.#drop(name);
    return undefined;
  }

  /** Forgets what has expired; if nothing has, the oldest value of the heaviest source. */
  #makeRoom(): void {
    const before = this.#values.size;
    if (this.#soonest <= this.#clock.now()) this.#sweep();
    if (this.#values.size < before) return;
    const [heaviest] = [...this.#shares].reduce((most, next) => {
      return this.#weightOf(next[1]) > this.#weightOf(most[1]) ? next : most;
    });
    for (const [name, { source }] of this.#values) {
      if (source !== heaviest) continue;
      this.#drop(name);
      return;
    }
  }

  #sweep(): void {
    const now = this.#clock.now();
    this.#soonest = Number.POSITIVE_INFINITY;
    for (const [name, { until }] of this.#values) {
      if (until <= now) this.#drop(name);
      else this.#soonest = Math.min(this.#soonest, until);
    }
  }

  #drop(name: string): void {
    const kept = this.#values.get(name);
    if (kept === undefined) return;
    this.#values.delete(name);
    this.#count(kept.source, -1, -kept.value.length);
  }

  /** As a part of all the room: many small values take it up as well as a few large ones. */
  #weightOf({ values, bytes }: Share): number {
    return values / this.#limits.valuesMax + bytes / this.#limits.bytesMax;
  }

  #count(source: string, values: number, bytes: number): void {
    this.#bytes += bytes;
    const share = this.#shares.get(source) ?? { values: 0, bytes: 0 };
    share.values += values;
    share.bytes += bytes;
    if (share.values === 0) this.#shares.delete(source);
    else this.#shares.set(source, share);
  }
}
