import type { Level } from "level";
import type { Place } from "./address-index.ts";
import { addressKey } from "./address-key.ts";
import {
  bucketOf,
  encodeIndex,
  encodeStored,
  type IndexedRecord,
  indexKey,
  type Replaced,
  recordKey,
} from "./level-record-layout.ts";
import { RECORD_HEADER_BYTES } from "./record.ts";
import { decidePut, type PutOutcome, type RecordPut, type StoredRecord } from "./record-store.ts";

/** A record, and where it is kept. */
export interface PlacedRecord extends StoredRecord {
  readonly place: Place;
  readonly tag: number;
}

/** Records with numbers in a row, from the first place on. */
interface Run {
  readonly first: Place;
  readonly records: Pick<IndexedRecord, "tag" | "seq" | "replaced">[];
}

/** What a write needs of the store around it. */
export interface WriteContext {
  readonly db: Level<Uint8Array, Uint8Array>;
  /** Room for one value; the engine copies it at once. */
  readonly scratch: Uint8Array;
  find(address: Uint8Array, nowMs: number): PlacedRecord | undefined;
  tagOf(address: Uint8Array): number;
  /** Takes the next number of a bucket. */
  nextSerial(bucket: number): number;
  /** Whether a new record of so many bytes fits, beside what this write adds. */
  hasRoom(added: { readonly entries: number; readonly bytes: number }): boolean;
}

/**
 * One durable write of many puts. Decides each of them against what is stored and what came before
 * it in the same write; nothing of it is visible until `commit` has succeeded.
 */
export class LevelRecordWrite {
  readonly #context: WriteContext;
  readonly #batch: ReturnType<Level<Uint8Array, Uint8Array>["batch"]>;
  /** What the addresses of this write hold after it. */
  readonly #written = new Map<string, PlacedRecord>();
  readonly #added: (PlacedRecord & { readonly replaced: Replaced | undefined })[] = [];
  readonly #removed: PlacedRecord[] = [];
  #entries = 0;
  #bytes = 0;

  constructor(context: WriteContext) {
    this.#context = context;
    this.#batch = context.db.batch();
  }

  /** What the index has to learn once this is durable: first what was added, then what went. */
  get changes(): {
    readonly added: readonly PlacedRecord[];
    readonly removed: readonly PlacedRecord[];
  } {
    return { added: this.#added, removed: this.#removed };
  }

  add(put: RecordPut, nowMs: number): PutOutcome {
    const key = addressKey(put.record.address);
    const held = this.#written.get(key) ?? this.#context.find(put.record.address, nowMs);
    const { expiresMs } = put;
    switch (decidePut(held, put, nowMs)) {
      case "conflict":
        return { kind: "conflict" };
      case "keep":
        return { kind: "known", expiresMs: held?.expiresMs ?? expiresMs };
      case "extend":
        this.#store(key, put, expiresMs, held);
        return { kind: "known", expiresMs };
      case "store": {
        if (!this.#makeRoom(put)) return { kind: "full" };
        this.#store(key, put, expiresMs, held);
        return { kind: "stored", expiresMs };
      }
      case "replace": {
        // A tombstone outlives what it ends, or that could be put again.
        const longerMs = Math.max(expiresMs, held?.expiresMs ?? 0);
        this.#store(key, put, longerMs, held);
        return { kind: "stored", expiresMs: longerMs };
      }
    }
  }

  /** Resolves when everything is durable. */
  async commit(): Promise<void> {
    if (this.#added.length === 0) return await this.#batch.close();
    for (const { first, records } of this.#runs()) {
      this.#batch.put(indexKey(first), encodeIndex(records));
    }
    await this.#batch.write({ sync: true });
  }

  /** Lets go of a write that is not committed. */
  async discard(): Promise<void> {
    await this.#batch.close();
  }

  #makeRoom(put: RecordPut): boolean {
    const bytes = this.#bytes + recordBytes(put);
    return this.#context.hasRoom({ entries: this.#entries + 1, bytes });
  }

  #store(key: string, put: RecordPut, expiresMs: number, held: PlacedRecord | undefined): void {
    const bucket = bucketOf(expiresMs);
    const place = { bucket, serial: this.#context.nextSerial(bucket) };
    const tag = this.#context.tagOf(put.record.address);
    const placed = { record: put.record, expiresMs, place, tag };
    this.#batch.put(recordKey(place), encodeStored(placed, this.#context.scratch));
    const replaced = held && { ...held.place, seq: held.record.seq };
    this.#added.push({ ...placed, replaced });
    this.#written.set(key, placed);
    this.#entries += 1;
    this.#bytes += recordBytes(put);
    if (held === undefined) return;
    this.#batch.del(recordKey(held.place));
    this.#removed.push(held);
    this.#entries -= 1;
    this.#bytes -= recordBytes(held);
  }

  /** What was added, as runs of one bucket with numbers in a row. */
  #runs(): Run[] {
    const runs = new Map<number, Run>();
    for (const { place, tag, record, replaced } of this.#added) {
      const run = runs.get(place.bucket) ?? { first: place, records: [] };
      run.records.push({ tag, seq: record.seq, replaced });
      runs.set(place.bucket, run);
    }
    return [...runs.values()];
  }
}

function recordBytes({ record }: Pick<StoredRecord, "record">): number {
  return RECORD_HEADER_BYTES + record.payload.length;
}
