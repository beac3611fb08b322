import { assert, Heap, type Instant } from "../base/index.ts";
import { FrameTable } from "./frame-table.ts";
import { LostRun } from "./lost-run.ts";
import { type StoredFrames, StoredRun } from "./stored-run.ts";
import { comesFirst, type Suspect } from "./suspect.ts";

/**
 * Where a frame stands:
 * - `new`: never put
 * - `flying`: a put is under way and not late
 * - `suspect`: the last put is late or failed; nobody knows whether it took effect
 * - `missing`: suspect, and the reader has seen later frames but not this one
 * - `stored`: the Map gave a receipt
 */
export type FrameState = "new" | "flying" | "suspect" | "missing" | "stored";

/** The states as the table keeps them. */
const NEW = 1;
const FLYING = 2;
const SUSPECT = 3;
const MISSING = 4;
const STORED = 5;
const NAMES: readonly (FrameState | undefined)[] = [
  undefined,
  "new",
  "flying",
  "suspect",
  "missing",
  "stored",
];

const NEVER = Number.POSITIVE_INFINITY;

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
 * by `forget`. Memory: 38 bytes for each frame of the longest run from `base` to `next` so far, at
 * most doubled.
 */
export class ReTx {
  readonly #frames: FrameTable;
  readonly #suspects = new Heap<Suspect>(comesFirst);
  readonly #missing = new Heap<Suspect>((a, b) => a.index < b.index);
  readonly #lostRun = new LostRun();
  readonly #storedRun: StoredRun;
  #unstored = 0;
  /** The earliest refresh, unless it has to be looked for. */
  #refreshAt: Instant = NEVER;
  #isRefreshKnown = true;

  /** `first` is the index of the first frame. */
  constructor(options: { readonly first?: number } = {}) {
    this.#frames = new FrameTable(options.first ?? 0);
    this.#storedRun = new StoredRun(this.#frames);
  }

  /** The lowest unacknowledged index, or the next one to be added. */
  get base(): number {
    return this.#frames.base;
  }

  /** The index that the next `add` must have. */
  get next(): number {
    return this.#frames.next;
  }

  get size(): number {
    return this.#frames.size;
  }

  /** Frames of which neither the Map nor the reader has said that they are there. */
  get unstored(): number {
    return this.#unstored;
  }

  has(index: number): boolean {
    return this.#frames.find(index) >= 0;
  }

  state(index: number): FrameState | undefined {
    return NAMES[this.#frames.state[this.#frames.find(index)] ?? 0];
  }

  isSelected(index: number): boolean {
    return this.#frames.selected[this.#frames.find(index)] === 1;
  }

  /** Puts that were made of this frame so far. */
  puts(index: number): number {
    return this.#frames.puts[this.#frames.find(index)] ?? 0;
  }

  /** The first index of a frame that was never known to be in the Map. It never falls. */
  get storedBelow(): number {
    return this.#storedRun.below;
  }

  /** When the first receipt of the frames below `storedBelow` ends; `Infinity` without one. */
  earliestExpiry(): Instant {
    return this.storedRun().expiresAt;
  }

  add(index: number): void {
    assert(index === this.next, "frames are added in order");
    this.#frames.add(NEW);
    this.#unstored += 1;
  }

  /** A put of this frame has begun. */
  sent(index: number, now: Instant): void {
    const slot = this.#frames.find(index);
    if (slot < 0) return;
    this.#frames.puts[slot] = this.puts(index) + 1;
    this.#frames.sentAt[slot] = now;
    this.#setState(slot, FLYING);
  }

  /** The last put is late or failed, or a restart forgot it: another one is needed. */
  suspect(index: number): void {
    const slot = this.#frames.find(index);
    const state = this.#frames.state[slot];
    // A selective acknowledgement or a receipt may have come first: then nothing is needed.
    if (state !== FLYING && state !== NEW) return;
    this.#queue(index, slot, SUSPECT);
  }

  /** The Map gave a receipt that ends at `expiresAt`; the frame is put again at `refreshAt`. */
  stored(index: number, times: { now: Instant; expiresAt: Instant; refreshAt: Instant }): void {
    const slot = this.#frames.find(index);
    if (slot < 0) return;
    this.#frames.storedAt[slot] = times.now;
    this.#frames.expiresAt[slot] = times.expiresAt;
    this.#setState(slot, STORED);
    this.#setRefresh(slot, times.refreshAt);
    this.#storedRun.reached(index);
  }

  /** Drops every frame below `next`; gives their indexes. */
  acknowledge(next: number): number[] {
    assert(next <= this.next, "an acknowledgement of what was never sent was let through");
    const dropped: number[] = [];
    for (let index = this.base; index < next; index++) {
      const slot = this.#frames.find(index);
      if (slot < 0) continue;
      this.#leave(slot);
      dropped.push(index);
    }
    this.#frames.passTo(next);
    this.#storedRun.reached(this.base);
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
    const last = Math.min(bits, this.next - next - 1);
    for (let j = last - 1; j >= -1; j--) {
      const index = next + 1 + j;
      const slot = this.#frames.find(index);
      if (slot < 0) continue;
      if (j >= 0 && arrived(j)) {
        latestSent = Math.max(latestSent, this.#frames.sentAt[slot] as number);
        if (this.#frames.selected[slot] === 0) newlySelected.push(index);
        this.#markSelected(slot);
        this.#storedRun.reached(index);
      } else {
        if (options.newest) this.#unselect(index, slot);
        this.#doubt(index, slot, latestSent, options);
      }
    }
    return { newlySelected };
  }

  /**
   * The reader asked for this frame in vain: it is missing, and those behind it that a
   * {@link LostRun} takes to be; but for what was stored after `since`.
   */
  doubt(first: number, since: Instant): void {
    if (!this.has(first)) return;
    const end = this.#lostRun.waitsFor(first);
    this.#lose(first, since);
    for (let index = first + 1; index < Math.min(end, this.next); index++) {
      if (!this.isSelected(index)) this.#lose(index, since);
    }
  }

  /**
   * The reader speaks and has no news. It may have the first frame, and be unable to use, or to
   * tell of, that one without the first behind it that it lacks.
   */
  doubtLacking(since: Instant): void {
    let lacking = this.base + 1;
    while (this.isSelected(lacking)) lacking += 1;
    this.#lose(lacking, since);
  }

  /**
   * The reader was asked so many times in a row and says nothing. It may look for the first frame;
   * or for one behind it, if it could not use that one without, or has taken it and the Map has
   * lost its word, too. So with each further question others are missing as well, from one to half
   * of all, until all have been; unless some were never stored, as in a Map that is in trouble.
   * Where lives are short there is always one that is being put again: that is no trouble.
   */
  doubtSilent(times: number, since: Instant): void {
    const isTroubled = this.#hasNeverStored();
    this.doubt(this.base, since);
    if (isTroubled || times < 2 || this.size < 2) return;
    const length = 2 ** ((times - 2) % Math.ceil(Math.log2(this.size)));
    const end = Math.min(this.base + 2 * length, this.next);
    for (let index = this.base + length; index < end; index++) this.#lose(index, since);
  }

  /** Moves every stored frame whose time has come back to the suspects. */
  timeout(now: Instant): void {
    if (now < this.deadline()) return;
    const { state, refreshAt } = this.#frames;
    for (let index = this.base; index < this.next; index++) {
      const slot = this.#frames.find(index);
      if (slot < 0 || (refreshAt[slot] as number) > now) continue;
      this.#setRefresh(slot, NEVER);
      if (state[slot] !== STORED) continue;
      // A selected frame is refreshed too: its reader may forget it in a crash.
      this.#queue(index, slot, SUSPECT);
    }
  }

  /** When `timeout` has something to do. */
  deadline(): Instant {
    if (!this.#isRefreshKnown) {
      this.#refreshAt = this.#earliestRefresh();
      this.#isRefreshKnown = true;
    }
    return this.#refreshAt;
  }

  /** Takes the most urgent frame to put again; with `missingOnly`, only one known to be missing. */
  nextRetransmission(missingOnly: boolean): number | undefined {
    return this.#mostUrgent(missingOnly)?.pop()?.index;
  }

  /** True when `nextRetransmission` would give a frame. */
  hasRetransmission(missingOnly: boolean): boolean {
    return this.#mostUrgent(missingOnly) !== undefined;
  }

  /** Whether all that is suspect, if anything is, has been in the Map: its time there has come. */
  get hasOnlyRenewals(): boolean {
    return this.#first(this.#suspects, SUSPECT)?.storedAt !== Number.NEGATIVE_INFINITY;
  }

  /** Drops one frame although nobody acknowledged it (multicast, after its life). */
  forget(index: number): void {
    const slot = this.#frames.find(index);
    if (slot >= 0) this.#leave(slot);
    this.#frames.skipRemoved();
    this.#storedRun.reached(index);
  }

  /** What is known of the frames below `storedBelow`. */
  storedRun(): StoredFrames {
    return this.#storedRun.look((slot) => this.#isThere(slot));
  }

  #hasNeverStored(): boolean {
    if (this.#unstored === 0) return false;
    for (let index = this.base; index < this.next; index++) {
      const slot = this.#frames.find(index);
      if (!this.#isThere(slot) && this.#frames.storedAt[slot] === Number.NEGATIVE_INFINITY)
        return true;
    }
    return false;
  }

  #isThere(slot: number): boolean {
    const { state, selected } = this.#frames;
    return slot < 0 || state[slot] === STORED || selected[slot] === 1;
  }

  #markSelected(slot: number): void {
    if (this.#frames.selected[slot] === 1) return;
    // Whatever happened to the last put, the reader has the frame.
    this.#setState(slot, STORED);
    this.#frames.selected[slot] = 1;
  }

  #unselect(index: number, slot: number): void {
    const { state, selected, refreshAt } = this.#frames;
    if (selected[slot] === 0) return;
    selected[slot] = 0;
    if (state[slot] !== STORED) this.#unstored += 1;
    // Without a receipt that is still renewed, only the reader vouched for it.
    else if (refreshAt[slot] === NEVER) this.#queue(index, slot, SUSPECT);
  }

  /** RACK: a frame is missing when one that was put later has arrived and it has not. */
  #doubt(
    index: number,
    slot: number,
    latestSent: Instant,
    options: { now: Instant; doubtMs: number },
  ): void {
    const { state, selected, sentAt, storedAt } = this.#frames;
    if ((sentAt[slot] as number) >= latestSent || selected[slot] === 1) return;
    const isStored = state[slot] === STORED;
    if (isStored && options.now - (storedAt[slot] as number) < options.doubtMs) return;
    if (!isStored && state[slot] !== SUSPECT) return;
    this.#queue(index, slot, MISSING);
  }

  /** Whatever its reader has said of it: one that has it forgets things in crashes. */
  #lose(index: number, since: Instant): void {
    const slot = this.#frames.find(index);
    const { state, storedAt } = this.#frames;
    if (slot < 0 || (storedAt[slot] as number) > since) return;
    if (state[slot] !== STORED && state[slot] !== SUSPECT) return;
    this.#queue(index, slot, MISSING);
  }

  #setState(slot: number, state: number): void {
    const before = this.#isThere(slot);
    this.#frames.state[slot] = state;
    const after = this.#isThere(slot);
    if (before && !after) this.#unstored += 1;
    if (!before && after) this.#unstored -= 1;
  }

  #setRefresh(slot: number, at: Instant): void {
    const before = this.#frames.refreshAt[slot] as number;
    this.#frames.refreshAt[slot] = at;
    if (at <= this.#refreshAt) this.#refreshAt = at;
    else if (before === this.#refreshAt) this.#isRefreshKnown = false;
  }

  /** Looked for when the frame that had it leaves: one of all, so it is rarely the one. */
  #earliestRefresh(): Instant {
    const { refreshAt } = this.#frames;
    let earliest = NEVER;
    for (let index = this.base; index < this.next; index++) {
      const slot = this.#frames.find(index);
      if (slot >= 0) earliest = Math.min(earliest, refreshAt[slot] as number);
    }
    return earliest;
  }

  #leave(slot: number): void {
    if (!this.#isThere(slot)) this.#unstored -= 1;
    this.#setRefresh(slot, NEVER);
    this.#frames.remove(slot);
  }

  /** The frame is to be put again: it is suspect, or missing. */
  #queue(index: number, slot: number, state: typeof SUSPECT | typeof MISSING): void {
    this.#setState(slot, state);
    const queue = state === MISSING ? this.#missing : this.#suspects;
    queue.push({ index, storedAt: this.#frames.storedAt[slot] as number });
  }

  /** The queue whose first frame is to be put again next; with `missingOnly`, of missing ones. */
  #mostUrgent(missingOnly: boolean): Heap<Suspect> | undefined {
    if (this.#first(this.#missing, MISSING) !== undefined) return this.#missing;
    if (missingOnly || this.#first(this.#suspects, SUSPECT) === undefined) return undefined;
    return this.#suspects;
  }

  /** Drops frames that have moved on to another state since they were queued. */
  #first(queue: Heap<Suspect>, wanted: number): Suspect | undefined {
    const { state, storedAt } = this.#frames;
    for (let first = queue.peek(); first !== undefined; first = queue.peek()) {
      const slot = this.#frames.find(first.index);
      if (state[slot] === wanted && storedAt[slot] === first.storedAt) return first;
      queue.pop();
    }
    return undefined;
  }
}
