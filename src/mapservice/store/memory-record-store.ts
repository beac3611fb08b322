import { assert, CulvertError, Heap } from "../../base/index.ts";
import { addressKey } from "../record/address-key.ts";
import { copyOf, type MapRecord, RECORD_HEADER_BYTES } from "../record/record.ts";
import { RecordSlots, type SlotNumber } from "./record-slots.ts";
import {
  decidePut,
  type PutOutcome,
  type RecordPut,
  type RecordStore,
  type RecordStoreOptions,
  requireSizes,
  type StoredRecord,
  type StoreStatistics,
  type SweepOutcome,
} from "./record-store.ts";

/** A record that is kept, and where its bytes are. */
interface Held {
  readonly key: string;
  slot: SlotNumber;
  length: number;
  expiresMs: number;
  /** An expiry that it had, by which it is queued: a longer life is queued again when due. */
  dueMs: number;
}

/** Records in memory: for tests, demonstrations, and Maps that need not outlive their process. */
export class MemoryRecordStore implements RecordStore {
  readonly payloadSize: number;
  readonly sharesNoMemory: boolean = true;
  readonly mark?: Uint8Array;
  readonly #options: RecordStoreOptions;
  readonly #held = new Map<string, Held>();
  readonly #queue = new Heap<Held>((a, b) => a.dueMs < b.dueMs);
  #cells: RecordSlots;
  /** Of their own, so that what they take is what they count for. */
  #tombstones = new RecordSlots(0);
  #bytes = 0;
  #isClosed = false;

  /**
   * @param options `mark`: as {@link RecordStore.mark}
   * @throws RangeError for sizes that bound nothing
   */
  constructor(options: RecordStoreOptions & { readonly mark?: Uint8Array }) {
    requireSizes(options);
    this.payloadSize = options.payloadSize;
    if (options.mark !== undefined) this.mark = options.mark;
    this.#options = options;
    this.#cells = new RecordSlots(options.payloadSize);
  }

  async put(puts: readonly RecordPut[], nowMs: number): Promise<readonly PutOutcome[]> {
    this.#throwIfClosed();
    return puts.map((put) => this.#putOne(put, nowMs));
  }

  get(address: Uint8Array, nowMs: number): StoredRecord | undefined {
    this.#throwIfClosed();
    const held = this.#held.get(addressKey(address));
    if (held === undefined || held.expiresMs <= nowMs) return undefined;
    const { record, expiresMs } = this.#stored(held);
    return { record: copyOf(record), expiresMs };
  }

  async sweep(nowMs: number, limit: number): Promise<SweepOutcome> {
    this.#throwIfClosed();
    return this.#sweep(nowMs, limit);
  }

  statistics(): StoreStatistics {
    const { entriesMax, bytesMax } = this.#options;
    const entries = this.#held.size;
    return { entries, entriesMax, bytes: this.#bytes, bytesMax, isDiskFull: false };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#held.clear();
    this.#queue.clear();
    this.#cells = new RecordSlots(this.payloadSize);
    this.#tombstones = new RecordSlots(0);
    this.#bytes = 0;
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED", "the store is closed");
  }

  /** With a record that is borrowed until the next put. */
  #stored({ slot, length, expiresMs }: Held): StoredRecord {
    return { record: this.#slotsOf(length).read(slot, length), expiresMs };
  }

  #putOne(put: RecordPut, nowMs: number): PutOutcome {
    const key = addressKey(put.record.address);
    const held = this.#held.get(key);
    const decision = decidePut(held && this.#stored(held), put, nowMs);
    if (decision === "conflict") return { kind: "conflict" };
    if (decision === "keep" || decision === "extend") {
      assert(held !== undefined, "what is kept is there");
      if (decision === "keep") return { kind: "known", expiresMs: held.expiresMs };
      const gainedMs = put.expiresMs - held.expiresMs;
      held.expiresMs = put.expiresMs;
      return { kind: "known", expiresMs: put.expiresMs, gainedMs };
    }
    // A tombstone outlives what it ends, or that could be put again.
    const heldMs = decision === "replace" ? (held?.expiresMs ?? 0) : 0;
    if (decision === "store" && !this.#makeRoom(nowMs)) return { kind: "full" };
    return this.#store(key, put.record, Math.max(put.expiresMs, heldMs));
  }

  #store(key: string, record: MapRecord, expiresMs: number): PutOutcome {
    // What was there has expired, and may have made room by now.
    const held = this.#held.get(key);
    const length = RECORD_HEADER_BYTES + record.payload.length;
    const slot = this.#slotsOf(length).add(record);
    this.#bytes += length;
    if (held === undefined) {
      const fresh = { key, slot, length, expiresMs, dueMs: expiresMs };
      this.#held.set(key, fresh);
      this.#queue.push(fresh);
    } else {
      this.#free(held);
      Object.assign(held, { slot, length, expiresMs });
    }
    return { kind: "stored", expiresMs };
  }

  #free({ slot, length }: Held): void {
    this.#slotsOf(length).free(slot);
    this.#bytes -= length;
  }

  /** Where records of this length are. */
  #slotsOf(length: number): RecordSlots {
    return length === RECORD_HEADER_BYTES ? this.#tombstones : this.#cells;
  }

  #makeRoom(nowMs: number): boolean {
    const { entriesMax, bytesMax } = this.#options;
    const recordBytes = RECORD_HEADER_BYTES + this.payloadSize;
    for (;;) {
      if (this.#held.size < entriesMax && this.#bytes + recordBytes <= bytesMax) return true;
      if (this.#isSwept(nowMs)) return false;
      this.#sweep(nowMs, 1);
    }
  }

  #isSwept(nowMs: number): boolean {
    const next = this.#queue.peek();
    return next === undefined || next.dueMs > nowMs;
  }

  #sweep(nowMs: number, limit: number): SweepOutcome {
    let removed = 0;
    for (let steps = 0; ; steps++) {
      if (this.#isSwept(nowMs)) return { removed, isDone: true };
      if (steps >= limit) return { removed, isDone: false };
      const held = this.#queue.pop();
      assert(held !== undefined, "what is not swept yet is in the queue");
      if (held.expiresMs > nowMs) {
        held.dueMs = held.expiresMs;
        this.#queue.push(held);
        continue;
      }
      this.#held.delete(held.key);
      this.#free(held);
      removed += 1;
    }
  }
}
