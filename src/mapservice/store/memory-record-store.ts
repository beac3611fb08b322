import { assert, CulvertError } from "../../base/index.ts";
import { systemRandom } from "../../io/random.ts";
import { ADDRESS_SECRET_BYTES, AddressHash } from "../record/address-hash.ts";
import { copyOf, type MapRecord, RECORD_HEADER_BYTES } from "../record/record.ts";
import { type IndexedRecord, RecordIndex } from "./record-index.ts";
import { RecordSlots } from "./record-slots.ts";
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

/** Records in memory: for tests, demonstrations, and Maps that need not outlive their process. */
export class MemoryRecordStore implements RecordStore {
  readonly payloadSize: number;
  readonly sharesNoMemory: boolean = true;
  readonly mark?: Uint8Array;
  readonly #options: RecordStoreOptions;
  readonly #hash = new AddressHash(systemRandom.bytes(ADDRESS_SECRET_BYTES));
  #index = new RecordIndex(this.#hash);
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
    const entry = this.#index.find(address);
    const held = entry === undefined ? undefined : this.#index.at(entry);
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
    const entries = this.#index.size;
    return { entries, entriesMax, bytes: this.#bytes, bytesMax, isDiskFull: false };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#index = new RecordIndex(this.#hash);
    this.#cells = new RecordSlots(this.payloadSize);
    this.#tombstones = new RecordSlots(0);
    this.#bytes = 0;
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED", "the store is closed");
  }

  /** With a record that is borrowed until the next put. */
  #stored({ slot, length, expiresMs }: IndexedRecord): StoredRecord {
    return { record: this.#slotsOf(length).read(slot, length), expiresMs };
  }

  #putOne(put: RecordPut, nowMs: number): PutOutcome {
    const entry = this.#index.find(put.record.address);
    const held = entry === undefined ? undefined : this.#index.at(entry);
    const decision = decidePut(held && this.#stored(held), put, nowMs);
    if (decision === "conflict") return { kind: "conflict" };
    if (decision === "keep" || decision === "extend") {
      assert(entry !== undefined && held !== undefined, "what is kept is there");
      if (decision === "keep") return { kind: "known", expiresMs: held.expiresMs };
      this.#index.replace(entry, { ...held, expiresMs: put.expiresMs });
      const gainedMs = put.expiresMs - held.expiresMs;
      return { kind: "known", expiresMs: put.expiresMs, gainedMs };
    }
    // A tombstone outlives what it ends, or that could be put again.
    const heldMs = decision === "replace" ? (held?.expiresMs ?? 0) : 0;
    if (decision === "store" && !this.#makeRoom(nowMs)) return { kind: "full" };
    return this.#store(put.record, Math.max(put.expiresMs, heldMs));
  }

  #store(record: MapRecord, expiresMs: number): PutOutcome {
    const length = RECORD_HEADER_BYTES + record.payload.length;
    const slot = this.#slotsOf(length).add(record);
    this.#bytes += length;
    // What was there has expired, and may have made room by now.
    const entry = this.#index.find(record.address);
    if (entry === undefined) {
      this.#index.add(record.address, { slot, length, expiresMs });
    } else {
      this.#free(this.#index.at(entry));
      this.#index.replace(entry, { slot, length, expiresMs });
    }
    return { kind: "stored", expiresMs };
  }

  #free({ slot, length }: IndexedRecord): void {
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
      if (this.#index.size < entriesMax && this.#bytes + recordBytes <= bytesMax) return true;
      if (!this.#index.hasDue(nowMs)) return false;
      this.#sweep(nowMs, 1);
    }
  }

  #sweep(nowMs: number, limit: number): SweepOutcome {
    let removed = 0;
    for (let steps = 0; steps < limit; steps++) {
      const expired = this.#index.takeExpired(nowMs);
      if (expired === undefined) return { removed, isDone: true };
      if (expired === "queued again") continue;
      this.#free(expired);
      removed += 1;
    }
    return { removed, isDone: !this.#index.hasDue(nowMs) };
  }
}
