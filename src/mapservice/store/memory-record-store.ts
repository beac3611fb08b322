import { assert, CulvertError, Heap } from "../../base/index.ts";
import { addressKey } from "../address-key.ts";
import { compactRecord, RECORD_HEADER_BYTES } from "../record.ts";
import {
  decidePut,
  type PutOutcome,
  type RecordPut,
  type RecordStore,
  type RecordStoreOptions,
  type StoredRecord,
  type StoreStatistics,
  type SweepOutcome,
} from "./record-store.ts";

interface Expiring {
  readonly key: string;
  readonly expiresMs: number;
}

/** Records in memory: for tests, demonstrations, and Maps that need not outlive their process. */
export class MemoryRecordStore implements RecordStore {
  readonly payloadSize: number;
  readonly mark?: Uint8Array;
  readonly #options: RecordStoreOptions;
  readonly #records = new Map<string, StoredRecord>();
  /**
   * One entry for each record, at an expiry that it had: a longer life is queued again when due.
   */
  readonly #expiring = new Heap<Expiring>((a, b) => a.expiresMs < b.expiresMs);
  #bytes = 0;
  #isClosed = false;

  /** @param options `mark`: as {@link RecordStore.mark} */
  constructor(options: RecordStoreOptions & { readonly mark?: Uint8Array }) {
    this.payloadSize = options.payloadSize;
    if (options.mark !== undefined) this.mark = options.mark;
    this.#options = options;
  }

  async put(puts: readonly RecordPut[], nowMs: number): Promise<readonly PutOutcome[]> {
    this.#throwIfClosed();
    return puts.map((put) => this.#putOne(put, nowMs));
  }

  get(address: Uint8Array, nowMs: number): StoredRecord | undefined {
    this.#throwIfClosed();
    const held = this.#records.get(addressKey(address));
    return held !== undefined && held.expiresMs > nowMs ? held : undefined;
  }

  async sweep(nowMs: number, limit: number): Promise<SweepOutcome> {
    this.#throwIfClosed();
    return this.#sweep(nowMs, limit);
  }

  statistics(): StoreStatistics {
    const { entriesMax, bytesMax } = this.#options;
    const entries = this.#records.size;
    return { entries, entriesMax, bytes: this.#bytes, bytesMax, isDiskFull: false };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#records.clear();
    this.#expiring.clear();
    this.#bytes = 0;
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new CulvertError("CULVERT_CLOSED", "the store is closed");
  }

  #putOne(put: RecordPut, nowMs: number): PutOutcome {
    const key = addressKey(put.record.address);
    const held = this.#records.get(key);
    const decision = decidePut(held, put, nowMs);
    switch (decision) {
      case "conflict":
        return { kind: "conflict" };
      case "keep":
        assert(held !== undefined, "what is kept is there");
        return { kind: "known", expiresMs: held.expiresMs };
      case "extend":
        assert(held !== undefined, "what is extended is there");
        this.#records.set(key, { record: held.record, expiresMs: put.expiresMs });
        return { kind: "known", expiresMs: put.expiresMs };
      case "store":
        if (!this.#makeRoom(nowMs)) return { kind: "full" };
        return this.#store(key, put.expiresMs, put);
      case "replace":
        // A tombstone outlives what it ends, or that could be put again.
        return this.#store(key, Math.max(put.expiresMs, held?.expiresMs ?? 0), put);
    }
  }

  #store(key: string, expiresMs: number, put: RecordPut): PutOutcome {
    const held = this.#records.get(key);
    if (held === undefined) this.#expiring.push({ key, expiresMs });
    else this.#bytes -= RECORD_HEADER_BYTES + held.record.payload.length;
    this.#bytes += RECORD_HEADER_BYTES + put.record.payload.length;
    this.#records.set(key, { record: compactRecord(put.record), expiresMs });
    return { kind: "stored", expiresMs };
  }

  #makeRoom(nowMs: number): boolean {
    const { entriesMax, bytesMax } = this.#options;
    const recordBytes = RECORD_HEADER_BYTES + this.payloadSize;
    for (;;) {
      if (this.#records.size < entriesMax && this.#bytes + recordBytes <= bytesMax) return true;
      if (this.#isSwept(nowMs)) return false;
      this.#sweep(nowMs, 1);
    }
  }

  #isSwept(nowMs: number): boolean {
    const next = this.#expiring.peek();
    return next === undefined || next.expiresMs > nowMs;
  }

  #sweep(nowMs: number, limit: number): SweepOutcome {
    let removed = 0;
    for (let steps = 0; ; steps++) {
      if (this.#isSwept(nowMs)) return { removed, isDone: true };
      if (steps >= limit) return { removed, isDone: false };
      const next = this.#expiring.pop();
      assert(next !== undefined, "what is not swept yet is in the queue");
      const held = this.#records.get(next.key);
      assert(held !== undefined, "each record has one place in the queue");
      if (held.expiresMs > nowMs) {
        this.#expiring.push({ key: next.key, expiresMs: held.expiresMs });
        continue;
      }
      this.#records.delete(next.key);
      this.#bytes -= RECORD_HEADER_BYTES + held.record.payload.length;
      removed += 1;
    }
  }
}
