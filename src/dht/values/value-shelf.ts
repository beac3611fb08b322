import type { Instant } from "../../base/index.ts";
import { type TimerHandle, TimerQueue } from "../../retx/index.ts";
import type { KeyText } from "../wire/key.ts";
import type { ShelfLimits } from "./value-limits.ts";

/** A value that is kept. */
export interface ShelfEntry {
  readonly key: KeyText;
  readonly bytes: Uint8Array;
  readonly sequence: number;
  /** The network that wrote it, whose share it counts in, whoever stores it again. */
  readonly source: string;
  readonly expiresAt: Instant;
  /** Longer it may not live, however often it is stored again. */
  readonly lastsUntil: Instant;
  /** When it was stored last, here or again. */
  readonly storedAt: Instant;
}

interface Held {
  entry: ShelfEntry;
  timer: TimerHandle;
}

interface Source {
  readonly name: string;
  bytes: number;
  readonly keys: Set<KeyText>;
  /** Its place among all sources, by weight. */
  rank: TimerHandle | undefined;
}

/** What an entry costs besides its value, some hundred bytes for each of its places. */
const ENTRY_BYTES = 400;

/**
 * The values of one kind, within bounds of number and bytes. When there is no room, the source that
 * holds most loses its oldest value; a source that holds most itself is told that it is full.
 *
 * Never by least use: whoever writes a lot would push out everybody else.
 */
export class ValueShelf {
  readonly #limits: ShelfLimits;
  readonly #held = new Map<KeyText, Held>();
  readonly #sources = new Map<string, Source>();
  /**
   * The heaviest first: their weights, negative, stand in for instants. A flood may come from as
   * many sources as there are entries, and each of its values asks who is the heaviest.
   */
  readonly #byWeight: TimerQueue<Source>;
  readonly #expiries: TimerQueue<KeyText>;
  #bytes = 0;

  constructor(limits: ShelfLimits) {
    this.#limits = limits;
    this.#expiries = new TimerQueue({ capacity: limits.entriesMax });
    this.#byWeight = new TimerQueue({ capacity: limits.entriesMax });
  }

  get size(): number {
    return this.#held.size;
  }

  /** What is kept under a key, expired or not yet swept ones excepted. */
  get(key: KeyText, now: Instant): ShelfEntry | undefined {
    const entry = this.#held.get(key)?.entry;
    return entry !== undefined && entry.expiresAt > now ? entry : undefined;
  }

  /** The keys of all entries, those that came first in front. */
  keys(): IterableIterator<KeyText> {
    return this.#held.keys();
  }

  /** Whether a value of so many bytes would find, or be made, room. */
  hasRoomFor(source: string, bytes: number): boolean {
    if (this.#fits(bytes)) return true;
    if (bytes + ENTRY_BYTES > this.#limits.bytesMax) return false;
    const heaviest = this.#byWeight.first;
    return (
      heaviest !== undefined &&
      heaviest.name !== source &&
      this.#weightOf(this.#sources.get(source)) + bytes < this.#weightOf(heaviest)
    );
  }

  /** Keeps an entry in the place of what was under its key; false when there is no room. */
  put(entry: ShelfEntry): boolean {
    const known = this.#held.get(entry.key);
    if (known !== undefined) this.#remove(entry.key, known);
    // Asked once: who is refused half-way would have taken the place of others for nothing.
    const isKept = this.hasRoomFor(entry.source, entry.bytes.length);
    while (isKept && !this.#fits(entry.bytes.length)) this.#evictFromHeaviest();
    if (isKept) this.#insert(entry);
    else if (known !== undefined) this.#insert(known.entry);
    return isKept;
  }

  /** Drops what has expired. */
  sweep(now: Instant): void {
    for (let key = this.#expiries.due(now); key !== undefined; key = this.#expiries.due(now)) {
      const held = this.#held.get(key);
      if (held !== undefined) this.#remove(key, held);
    }
  }

  /** When the next entry expires. */
  deadline(): Instant {
    return this.#expiries.deadline();
  }

  #fits(bytes: number): boolean {
    const { entriesMax, bytesMax } = this.#limits;
    return this.size < entriesMax && this.#bytes + bytes + ENTRY_BYTES <= bytesMax;
  }

  /** In bytes: an entry weighs, beside its own, as much as takes up the room for one. */
  #weightOf(source: Source | undefined): number {
    const { entriesMax, bytesMax } = this.#limits;
    return source === undefined ? 0 : source.bytes + (source.keys.size * bytesMax) / entriesMax;
  }

  /** To be called when what the source holds has changed. */
  #rank(source: Source): void {
    if (source.rank !== undefined) this.#byWeight.cancel(source.rank);
    source.rank = this.#byWeight.push(-this.#weightOf(source), source);
  }

  #evictFromHeaviest(): void {
    const oldest = this.#byWeight.first?.keys.values().next();
    if (oldest === undefined || oldest.done === true) return;
    const held = this.#held.get(oldest.value);
    if (held !== undefined) this.#remove(oldest.value, held);
  }

  #insert(entry: ShelfEntry): void {
    const timer = this.#expiries.push(entry.expiresAt, entry.key);
    this.#held.set(entry.key, { entry, timer });
    const source = this.#sourceOf(entry.source);
    source.bytes += entry.bytes.length + ENTRY_BYTES;
    source.keys.add(entry.key);
    this.#rank(source);
    this.#bytes += entry.bytes.length + ENTRY_BYTES;
  }

  #remove(key: KeyText, { entry, timer }: Held): void {
    this.#expiries.cancel(timer);
    this.#held.delete(key);
    this.#bytes -= entry.bytes.length + ENTRY_BYTES;
    const source = this.#sources.get(entry.source);
    if (source === undefined) return;
    source.bytes -= entry.bytes.length + ENTRY_BYTES;
    source.keys.delete(key);
    if (source.keys.size > 0) this.#rank(source);
    else this.#forget(source);
  }

  #sourceOf(name: string): Source {
    const known = this.#sources.get(name);
    const source = known ?? { name, bytes: 0, keys: new Set<KeyText>(), rank: undefined };
    if (known === undefined) this.#sources.set(name, source);
    return source;
  }

  #forget({ name, rank }: Source): void {
    this.#sources.delete(name);
    if (rank !== undefined) this.#byWeight.cancel(rank);
  }
}
