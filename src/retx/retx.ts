import type { Instant } from "../base/index.ts";
import { assert, Heap } from "../base/index.ts";
import { type TimerHandle, TimerQueue } from "./timer-queue.ts";

/**
 * Where a frame stands:
 * - `new`: never put
 * - `flying`: a put is under way and not late
 * - `suspect`: the last put is late or failed; nobody knows whether it took effect
 * - `missing`: suspect, and the reader has seen later frames but not this one
 * - `stored`: the Map gave a receipt
 */
export type FrameState = "new" | "flying" | "suspect" | "missing" | "stored";

interface Entry {
  readonly index: number;
  state: FrameState;
  /** The reader has it, but may still forget it: it is kept, and not put again. */
  selected: boolean;
  puts: number;
  sentAt: Instant;
  storedAt: Instant;
  /** The receipt ends here; `Infinity` without one. */
  expiresAt: Instant;
  refresh: TimerHandle | undefined;
}

/** What a selective acknowledgement taught. */
export interface Selection {
  /** Frames that the reader has and that were not known to be there. */
  readonly newlySelected: readonly number[];
}

/**
 * ReTx: the frames that are not acknowledged, and which of them has to be put next.
 *
 * A pure structure: the owner tells it what happened and asks `nextRetransmission`. Frames enter in
 * order by `add` and leave when `acknowledge` passes them, or, if nobody acknowledges (multicast),
 * by `forget`.
 */
export class ReTx {
  readonly #entries = new Map<number, Entry>();
  readonly #suspects = new Heap<Entry>((a, b) => a.index < b.index);
  readonly #missing = new Heap<Entry>((a, b) => a.index < b.index);
  readonly #refresh: TimerQueue<Entry>;
  #base: number;
  #next: number;
  #unstored = 0;

  /** At most `capacity` frames may be unacknowledged at once; the first one is `first`. */
  constructor(options: { readonly capacity: number; readonly first?: number }) {
    this.#refresh = new TimerQueue({ capacity: options.capacity });
    this.#base = options.first ?? 0;
    this.#next = this.#base;
  }

  /** The lowest unacknowledged index, or the next one to be added. */
  get base(): number {
    return this.#base;
  }

  /** The index that the next `add` must have. */
  get next(): number {
    return this.#next;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Frames of which neither the Map nor the reader has said that they are there. */
  get unstored(): number {
    return this.#unstored;
  }

  has(index: number): boolean {
    return this.#entries.has(index);
  }

  state(index: number): FrameState | undefined {
    return this.#entries.get(index)?.state;
  }

  isSelected(index: number): boolean {
    return this.#entries.get(index)?.selected ?? false;
  }

  /** Puts that were made of this frame so far. */
  puts(index: number): number {
    return this.#entries.get(index)?.puts ?? 0;
  }

  /** When the receipt of the earliest unread frame ends; `Infinity` without one. */
  earliestExpiry(): Instant {
    return this.#entries.get(this.#base)?.expiresAt ?? Number.POSITIVE_INFINITY;
  }

  add(index: number): void {
    assert(index === this.#next, "frames are added in order");
    this.#next += 1;
    this.#unstored += 1;
    this.#entries.set(index, {
      index,
      state: "new",
      selected: false,
      puts: 0,
      sentAt: Number.NEGATIVE_INFINITY,
      storedAt: Number.NEGATIVE_INFINITY,
      expiresAt: Number.POSITIVE_INFINITY,
      refresh: undefined,
    });
  }

  /** A put of this frame has begun. */
  sent(index: number, now: Instant): void {
    const entry = this.#entries.get(index);
    if (entry === undefined) return;
    entry.puts += 1;
    entry.sentAt = now;
    this.#setState(entry, "flying");
  }

  /** The last put is late or failed, or a restart forgot it: another one is needed. */
  suspect(index: number): void {
    const entry = this.#entries.get(index);
    // A selective acknowledgement or a receipt may have come first: then nothing is needed.
    if (entry === undefined || (entry.state !== "flying" && entry.state !== "new")) return;
    this.#setState(entry, "suspect");
    this.#suspects.push(entry);
  }

  /** The Map gave a receipt that ends at `expiresAt`; the frame is put again at `refreshAt`. */
  stored(index: number, times: { now: Instant; expiresAt: Instant; refreshAt: Instant }): void {
    const entry = this.#entries.get(index);
    if (entry === undefined) return;
    entry.storedAt = times.now;
    entry.expiresAt = times.expiresAt;
    this.#setState(entry, "stored");
    if (entry.refresh !== undefined) this.#refresh.cancel(entry.refresh);
    entry.refresh = this.#refresh.push(times.refreshAt, entry);
  }

  /** Drops every frame below `next`; gives their indexes. */
  acknowledge(next: number): number[] {
    assert(next <= this.#next, "an acknowledgement of what was never sent was let through");
    const dropped: number[] = [];
    for (; this.#base < next; this.#base++) {
      const entry = this.#entries.get(this.#base);
      if (entry === undefined) continue;
      this.#leave(entry);
      dropped.push(entry.index);
    }
    return dropped;
  }

  /**
   * Takes a selective acknowledgement: frame `next + 1 + j` has arrived when `arrived(j)`. With
   * `newest`, frames that were selected before and are not now were forgotten by a restarted
   * reader. `doubtMs` after its receipt, a stored frame that the reader still lacks while it has
   * later ones is taken to be lost by the Map.
   */
  select(
    next: number,
    bits: number,
    arrived: (j: number) => boolean,
    options: { newest: boolean; now: Instant; doubtMs: number },
  ): Selection {
    const newlySelected: number[] = [];
    let latestSent = Number.NEGATIVE_INFINITY;
    const last = Math.min(bits, this.#next - next - 1);
    for (let j = last - 1; j >= -1; j--) {
      const entry = this.#entries.get(next + 1 + j);
      if (entry === undefined) continue;
      if (j >= 0 && arrived(j)) {
        latestSent = Math.max(latestSent, entry.sentAt);
        if (!entry.selected) newlySelected.push(entry.index);
        this.#markSelected(entry);
      } else {
        if (options.newest) this.#unselect(entry);
        this.#doubt(entry, latestSent, options);
      }
    }
    return { newlySelected };
  }

  /** The reader asked for this frame in vain: it is missing, unless it was stored after `since`. */
  doubt(index: number, since: Instant): void {
    const entry = this.#entries.get(index);
    if (entry === undefined || entry.selected || entry.storedAt > since) return;
    if (entry.state !== "stored" && entry.state !== "suspect") return;
    this.#setState(entry, "missing");
    this.#missing.push(entry);
  }

  /** Moves every stored frame whose time has come back to the suspects. */
  timeout(now: Instant): void {
    for (let entry = this.#refresh.due(now); entry; entry = this.#refresh.due(now)) {
      entry.refresh = undefined;
      if (entry.state !== "stored") continue;
      // A selected frame is refreshed too: its reader may forget it in a crash.
      this.#setState(entry, "suspect");
      this.#suspects.push(entry);
    }
  }

  /** When `timeout` has something to do. */
  deadline(): Instant {
    return this.#refresh.deadline();
  }

  /** Takes the most urgent frame to put again; with `missingOnly`, only one known to be missing. */
  nextRetransmission(missingOnly: boolean): number | undefined {
    const missing = this.#popValid(this.#missing, "missing");
    if (missing !== undefined || missingOnly) return missing;
    return this.#popValid(this.#suspects, "suspect");
  }

  /** True when `nextRetransmission` would give a frame. */
  hasRetransmission(missingOnly: boolean): boolean {
    if (this.#peekValid(this.#missing, "missing")) return true;
    return !missingOnly && this.#peekValid(this.#suspects, "suspect");
  }

  /** Puts back a frame that `nextRetransmission` gave and that could not be sent now. */
  defer(index: number): void {
    const entry = this.#entries.get(index);
    if (entry === undefined) return;
    if (entry.state === "missing") this.#missing.push(entry);
    else if (entry.state === "suspect") this.#suspects.push(entry);
  }

  /** Drops one frame although nobody acknowledged it (multicast, after its life). */
  forget(index: number): void {
    const entry = this.#entries.get(index);
    if (entry !== undefined) this.#leave(entry);
    while (this.#base < this.#next && !this.#entries.has(this.#base)) this.#base += 1;
  }

  /** The first index from which on no frame is known to be stored. */
  storedBelow(): number {
    let index = this.#base;
    while (index < this.#next && this.#isThere(this.#entries.get(index))) index += 1;
    return index;
  }

  #isThere(entry: Entry | undefined): boolean {
    return entry === undefined || entry.state === "stored" || entry.selected;
  }

  #markSelected(entry: Entry): void {
    if (entry.selected) return;
    if (!this.#isThere(entry)) this.#unstored -= 1;
    entry.selected = true;
    // Whatever happened to the last put, the reader has the frame.
    if (entry.state !== "stored") entry.state = "stored";
  }

  #unselect(entry: Entry): void {
    if (!entry.selected) return;
    entry.selected = false;
    // Without a receipt that is still renewed, only the reader vouched for it.
    if (entry.state === "stored" && entry.refresh === undefined) {
      entry.state = "suspect";
      this.#suspects.push(entry);
    }
    if (!this.#isThere(entry)) this.#unstored += 1;
  }

  /** RACK: a frame is missing when one that was put later has arrived and it has not. */
  #doubt(entry: Entry, latestSent: Instant, options: { now: Instant; doubtMs: number }): void {
    if (entry.sentAt >= latestSent || entry.selected) return;
    if (entry.state === "stored" && options.now - entry.storedAt < options.doubtMs) return;
    if (entry.state === "new" || entry.state === "missing" || entry.state === "flying") return;
    this.#setState(entry, "missing");
    this.#missing.push(entry);
  }

  #setState(entry: Entry, state: FrameState): void {
    const before = this.#isThere(entry);
    entry.state = state;
    const after = this.#isThere(entry);
    if (before && !after) this.#unstored += 1;
    if (!before && after) this.#unstored -= 1;
  }

  #leave(entry: Entry): void {
    if (!this.#isThere(entry)) this.#unstored -= 1;
    if (entry.refresh !== undefined) this.#refresh.cancel(entry.refresh);
    this.#entries.delete(entry.index);
  }

  #popValid(heap: Heap<Entry>, state: FrameState): number | undefined {
    if (!this.#peekValid(heap, state)) return undefined;
    return heap.pop()?.index;
  }

  /** Drops entries whose state has moved on since they were queued. */
  #peekValid(heap: Heap<Entry>, state: FrameState): boolean {
    for (let entry = heap.peek(); entry !== undefined; entry = heap.peek()) {
      if (this.#entries.get(entry.index) === entry && entry.state === state) return true;
      heap.pop();
    }
    return false;
  }
}
