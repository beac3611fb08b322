import { Heap, type Instant, NumberMap } from "../../base/index.ts";
import type { AddressHash } from "../record/address-hash.ts";
import { AddressMap } from "../record/address-map.ts";
import type { AskerId, RequestId } from "./protocol.ts";
import { SourceCounts } from "./source-counts.ts";

/** A get that is not answered yet. */
export interface WaitingGet {
  readonly asker: AskerId;
  /** Whom the asker counts for. */
  readonly source: string;
  readonly request: RequestId;
  /** 32 bytes of its own, not a view of what came with them. */
  readonly address: Uint8Array;
  /** Whether it is worth keeping when the address is empty. */
  readonly waits: boolean;
  readonly deadline: Instant;
}

/** A get among others: lists of their own need no memory, and let go of what was in them. */
interface Entry {
  readonly get: WaitingGet;
  /** The next one at its address. */
  nextHere: Entry | undefined;
  /** Its neighbours in its slot. */
  before: Entry | undefined;
  after: Entry | undefined;
}

/** The gets of one slot, in the order in which they came. */
interface Slot {
  first: Entry | undefined;
  last: Entry | undefined;
}

/** The gets of one asker, by the numbers of their requests. */
interface AskersGets {
  readonly source: string;
  readonly gets: NumberMap<Entry>;
}

/** Deadlines are kept in slots of this length: a get is removed without a search. */
const SLOT_MS = 10;

/** All gets that are not answered yet, found by address, by asker and request, and by deadline. */
export class WaitingGets {
  /** The first one at each address. */
  readonly #byAddress: AddressMap<Entry>;
  readonly #byAsker = new Map<AskerId, AskersGets>();
  readonly #counts = new SourceCounts();
  readonly #bySlot = new NumberMap<Slot>();
  /** The slots in use, some of them empty by now: a slot is in here once. */
  readonly #slots = new Heap<number>((a, b) => a < b);

  /** @param hash under a secret that strangers do not know */
  constructor(hash: AddressHash) {
    this.#byAddress = new AddressMap(hash);
  }

  get size(): number {
    return this.#counts.total;
  }

  sizeOf(asker: AskerId): number {
    return this.#byAsker.get(asker)?.gets.size ?? 0;
  }

  sizeOfSource(source: string): number {
    return this.#counts.of(source);
  }

  isAwaited(address: Uint8Array): boolean {
    return this.#byAddress.has(address);
  }

  /** How many wait for one address; those of one source, if it is given. */
  sizeAt(address: Uint8Array, source?: string): number {
    let size = 0;
    for (let entry = this.#byAddress.get(address); entry; entry = entry.nextHere) {
      if (source === undefined || entry.get.source === source) size += 1;
    }
    return size;
  }

  /** False when the asker already has a get of this number. */
  add(get: WaitingGet): boolean {
    const ofAsker = this.#byAsker.get(get.asker) ?? freshGets(get.source);
    if (ofAsker.gets.has(get.request)) return false;
    const entry: Entry = { get, nextHere: undefined, before: undefined, after: undefined };
    ofAsker.gets.set(get.request, entry);
    this.#byAsker.set(get.asker, ofAsker);
    this.#counts.add(get.source);
    this.#putInPlace(entry);
    if (Number.isFinite(get.deadline)) this.#putInSlot(entry);
    return true;
  }

  at(address: Uint8Array): readonly WaitingGet[] {
    const gets: WaitingGet[] = [];
    let entry = this.#byAddress.get(address);
    for (; entry !== undefined; entry = entry.nextHere) gets.push(entry.get);
    return gets;
  }

  find(asker: AskerId, request: RequestId): WaitingGet | undefined {
    return this.#byAsker.get(asker)?.gets.get(request)?.get;
  }

  remove(get: WaitingGet): void {
    const ofAsker = this.#byAsker.get(get.asker);
    const entry = ofAsker?.gets.get(get.request);
    // Another one may have its number by now.
    if (entry?.get !== get) return;
    ofAsker?.gets.delete(get.request);
    this.#forget(entry);
  }

  /** One that has to make room for another of `source`, of `max` in all. */
  debtorOf(source: string, max: number): WaitingGet | undefined {
    const debtor = this.#counts.debtor(source, max);
    if (debtor === undefined) return undefined;
    let most: NumberMap<Entry> | undefined;
    for (const { source, gets } of this.#byAsker.values()) {
      if (source === debtor && gets.size > (most?.size ?? 0)) most = gets;
    }
    return most?.values()[0]?.get;
  }

  /** Removes and returns all that this asker has. */
  removeAsker(asker: AskerId): WaitingGet[] {
    const removed: WaitingGet[] = [];
    for (const entry of this.#byAsker.get(asker)?.gets.values() ?? []) {
      this.#forget(entry);
      removed.push(entry.get);
    }
    this.#byAsker.delete(asker);
    return removed;
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
      const gets = this.#bySlot.get(slot);
      for (let entry = gets?.first; entry !== undefined; entry = gets?.first) {
        due.push(entry.get);
        this.remove(entry.get);
      }
      this.#bySlot.delete(slot);
    }
  }

  #putInPlace(entry: Entry): void {
    const { address } = entry.get;
    let last = this.#byAddress.get(address);
    if (last === undefined) {
      this.#byAddress.set(address, entry);
      return;
    }
    while (last.nextHere !== undefined) last = last.nextHere;
    last.nextHere = entry;
  }

  #putInSlot(entry: Entry): void {
    const number = slotOf(entry.get.deadline);
    const slot = this.#bySlot.get(number);
    if (slot === undefined) {
      this.#slots.push(number);
      this.#bySlot.set(number, { first: entry, last: entry });
      return;
    }
    entry.before = slot.last;
    if (slot.last === undefined) slot.first = entry;
    else slot.last.after = entry;
    slot.last = entry;
  }

  /** Takes it out of everything but the map of its asker. */
  #forget(entry: Entry): void {
    this.#counts.remove(entry.get.source);
    this.#takeFromPlace(entry);
    this.#takeFromSlot(entry);
  }

  #takeFromPlace(entry: Entry): void {
    const { address } = entry.get;
    const next = entry.nextHere;
    entry.nextHere = undefined;
    let before = this.#byAddress.get(address);
    if (before !== entry) {
      while (before !== undefined && before.nextHere !== entry) before = before.nextHere;
      if (before !== undefined) before.nextHere = next;
    } else if (next === undefined) this.#byAddress.delete(address);
    else this.#byAddress.set(address, next);
  }

  /** The slot itself stays until its time, so that it is in the heap no more than once. */
  #takeFromSlot(entry: Entry): void {
    const { before, after } = entry;
    const slot = this.#bySlot.get(slotOf(entry.get.deadline));
    if (slot?.first === entry) slot.first = after;
    if (slot?.last === entry) slot.last = before;
    if (before !== undefined) before.after = after;
    if (after !== undefined) after.before = before;
    entry.before = undefined;
    entry.after = undefined;
  }
}

function freshGets(source: string): AskersGets {
  return { source, gets: new NumberMap<Entry>() };
}

/** The first slot that ends at or after `deadline`. */
function slotOf(deadline: Instant): number {
  return Math.ceil(deadline / SLOT_MS);
}
