import { Heap, type Instant } from "../base/index.ts";
import type { AskerId, RequestId } from "./protocol.ts";

/** A get that is not answered yet. */
export interface WaitingGet {
  readonly asker: AskerId;
  /** Whom the asker counts for. */
  readonly source: string;
  readonly request: RequestId;
  /** The address, as a key. */
  readonly key: string;
  /** Whether it is worth keeping when the address is empty. */
  readonly waits: boolean;
  readonly deadline: Instant;
}

/** Deadlines are kept in slots of this length: a get is removed without a search. */
const SLOT_MS = 10;

/** All gets that are not answered yet, found by address, by asker and request, and by deadline. */
export class WaitingGets {
  readonly #byAddress = new Map<string, Set<WaitingGet>>();
  readonly #byAsker = new Map<AskerId, Map<RequestId, WaitingGet>>();
  readonly #countOf = new Map<string, number>();
  readonly #bySlot = new Map<number, Set<WaitingGet>>();
  /** The slots in use, some of them empty by now: a slot is in here once. */
  readonly #slots = new Heap<number>((a, b) => a < b);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  sizeOf(asker: AskerId): number {
    return this.#byAsker.get(asker)?.size ?? 0;
  }

  sizeOfSource(source: string): number {
    return this.#countOf.get(source) ?? 0;
  }

  sizeAt(key: string): number {
    return this.#byAddress.get(key)?.size ?? 0;
  }

  /** False when the asker already has a get of this number. */
  add(get: WaitingGet): boolean {
    const ofAsker = this.#byAsker.get(get.asker) ?? new Map<RequestId, WaitingGet>();
    if (ofAsker.has(get.request)) return false;
    this.#byAsker.set(get.asker, ofAsker.set(get.request, get));
    this.#countOf.set(get.source, this.sizeOfSource(get.source) + 1);
    addTo(this.#byAddress, get.key, get);
    const slot = slotOf(get.deadline);
    if (!this.#bySlot.has(slot)) this.#slots.push(slot);
    addTo(this.#bySlot, slot, get);
    this.#size += 1;
    return true;
  }

  at(key: string): readonly WaitingGet[] {
    const gets = this.#byAddress.get(key);
    return gets === undefined ? NOBODY : [...gets];
  }

  ofAsker(asker: AskerId): readonly WaitingGet[] {
    return [...(this.#byAsker.get(asker)?.values() ?? [])];
  }

  find(asker: AskerId, request: RequestId): WaitingGet | undefined {
    return this.#byAsker.get(asker)?.get(request);
  }

  remove(get: WaitingGet): void {
    const ofAsker = this.#byAsker.get(get.asker);
    if (ofAsker?.get(get.request) !== get) return;
    ofAsker.delete(get.request);
    if (ofAsker.size === 0) this.#byAsker.delete(get.asker);
    const left = this.sizeOfSource(get.source) - 1;
    if (left === 0) this.#countOf.delete(get.source);
    else this.#countOf.set(get.source, left);
    removeFrom(this.#byAddress, get.key, get);
    // The slot itself stays until its time, so that it is in the heap no more than once.
    this.#bySlot.get(slotOf(get.deadline))?.delete(get);
    this.#size -= 1;
  }

  /** When the first slot is over; `Infinity` while there is none. */
  deadline(): Instant {
    const slot = this.#slots.peek();
    return slot === undefined ? Number.POSITIVE_INFINITY : slot * SLOT_MS;
  }

  /** Removes and returns what is due. */
  takeDue(now: Instant): WaitingGet[] {
    const due: WaitingGet[] = [];
    for (;;) {
      const slot = this.#slots.peek();
      if (slot === undefined || slot * SLOT_MS > now) return due;
      this.#slots.pop();
      for (const get of this.#bySlot.get(slot) ?? []) {
        due.push(get);
        this.remove(get);
      }
      this.#bySlot.delete(slot);
    }
  }
}

const NOBODY: readonly WaitingGet[] = [];

/** The first slot that ends at or after `deadline`. */
function slotOf(deadline: Instant): number {
  return Math.ceil(deadline / SLOT_MS);
}

function addTo<K>(sets: Map<K, Set<WaitingGet>>, key: K, get: WaitingGet): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([get]));
  else set.add(get);
}

function removeFrom<K>(sets: Map<K, Set<WaitingGet>>, key: K, get: WaitingGet): void {
  const set = sets.get(key);
  set?.delete(get);
  if (set?.size === 0) sets.delete(key);
}
