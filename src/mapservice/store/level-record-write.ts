import type { Level } from "level";
import { assert } from "../../base/index.ts";
import { addressKey } from "../record/address-key.ts";
import { RECORD_HEADER_BYTES, type Sequence } from "../record/record.ts";
import type { Place } from "./address-index.ts";
import {
  bucketOf,
  encodeIndex,
  encodeValue,
  indexKey,
  type Replaced,
  recordKey,
  valuePlace,
} from "./level-record-layout.ts";
import { decidePut, type PutOutcome, type RecordPut, type StoredRecord } from "./record-store.ts";

/** A record, and where it is kept. */
export interface PlacedRecord extends StoredRecord {
  readonly place: Place;
  readonly tag: number;
}

/** A record of this write, and what it takes the place of. */
interface AddedRecord extends PlacedRecord {
  readonly seq: Sequence;
  readonly replaced: Replaced | undefined;
}

/** What a write needs of the store around it. */
export interface WriteContext {
  readonly db: Level<Uint8Array, Uint8Array>;
  readonly recordsPerValue: number;
  /** Room for one value; the engine copies it at once. */
  readonly scratch: Uint8Array;
  find(address: Uint8Array): PlacedRecord | undefined;
  tagOf(address: Uint8Array): number;
  /** Takes the next number of a bucket; the first one of a write begins a value. */
  nextSerial(bucket: number, beginsValue: boolean): number;
  /** Whether a new record of so many bytes fits, beside what this write adds. */
  hasRoom(added: { readonly entries: number; readonly bytes: number }): boolean;
  /** The records of the value on disk that this one lies in, itself included. */
  mates(place: Place): readonly (Place & { readonly isAlive: boolean })[];
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
  /** By bucket; the numbers of each are in a row. */
  readonly #added = new Map<number, AddedRecord[]>();
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
    return { added: [...this.#added.values()].flat(), removed: this.#removed };
  }

  add(put: RecordPut, nowMs: number): PutOutcome {
    const key = addressKey(put.record.address);
    const held = this.#written.get(key) ?? this.#context.find(put.record.address);
    const { expiresMs } = put;
    switch (decidePut(held, put, nowMs)) {
      case "conflict":
        return { kind: "conflict" };
      case "keep":
        return { kind: "known", expiresMs: held?.expiresMs ?? expiresMs };
      case "extend":
        this.#store(key, put, expiresMs, held);
        return { kind: "known", expiresMs, gainedMs: expiresMs - (held?.expiresMs ?? expiresMs) };
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
    if (this.#added.size === 0) return await this.#batch.close();
    for (const records of this.#added.values()) this.#putRun(records);
    this.#removeValues();
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
    const run = this.#added.get(bucket) ?? [];
    const serial = this.#context.nextSerial(bucket, run.length === 0);
    const { record } = put;
    const added = {
      record,
      expiresMs,
      place: { bucket, serial },
      tag: this.#context.tagOf(record.address),
      seq: record.seq,
      replaced: held && { ...held.place, seq: held.record.seq },
    };
    run.push(added);
    this.#added.set(bucket, run);
    this.#written.set(key, added);
    this.#entries += 1;
    this.#bytes += recordBytes(put);
    if (held === undefined) return;
    this.#removed.push(held);
    this.#entries -= 1;
    this.#bytes -= recordBytes(held);
  }

  /** Records of one bucket with numbers in a row: one entry of the index, and their values. */
  #putRun(records: readonly AddedRecord[]): void {
    const { recordsPerValue, scratch } = this.#context;
    const first = records[0];
    assert(first !== undefined, "a bucket is here because of a record");
    this.#batch.put(indexKey(first.place), encodeIndex(records));
    for (let at = 0; at < records.length; at += recordsPerValue) {
      const some = records.slice(at, at + recordsPerValue);
      const place = { ...first.place, serial: first.place.serial + at };
      this.#batch.put(recordKey(place), encodeValue(some, scratch));
    }
  }

  /** Removes the values in which nothing lives after this write. */
  #removeValues(): void {
    const { recordsPerValue, mates } = this.#context;
    const nameOf = ({ bucket, serial }: Place): string => `${bucket}.${serial}`;
    const gone = new Set(this.#removed.map(({ place }) => nameOf(place)));
    const isDead = (mate: Place & { readonly isAlive: boolean }): boolean =>
      !mate.isAlive || gone.has(nameOf(mate));
    for (const { place } of this.#removed) {
      const inValue = mates(place);
      // It may be of this very write, and lie in no value yet.
      if (inValue.length === 0 || !inValue.every(isDead)) continue;
      this.#batch.del(recordKey(valuePlace(place, recordsPerValue)));
    }
  }
}

function recordBytes({ record }: Pick<StoredRecord, "record">): number {
  return RECORD_HEADER_BYTES + record.payload.length;
}
