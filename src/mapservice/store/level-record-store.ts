import type { Level } from "level";
import { assert, CulvertError, equalBytes, plainBytes } from "../../base/index.ts";
import { freeBytes } from "../../io/disk.ts";
import { loadMachineCode } from "../../io/machine-code.ts";
import { makeFolder } from "../../io/make-folder.ts";
import { payloadLength, RECORD_HEADER_BYTES, type Sequence } from "../record/record.ts";
import { AddressIndex, type Place } from "./address-index.ts";
import { LevelCompaction } from "./level-compaction.ts";
import { asOpeningError, asStoreError } from "./level-errors.ts";
import {
  decodeStoredAt,
  decodeValue,
  type IndexedRecord,
  indexKey,
  indexRange,
  isBucketOver,
  type Replaced,
  recordKey,
  storedBytesMax,
  valuePlace,
  visitIndex,
} from "./level-record-layout.ts";
import { fillIndex, readHead, readHeld, readIndex } from "./level-record-scan.ts";
import { LevelRecordWrite, type PlacedRecord } from "./level-record-write.ts";
import { RecordBuckets } from "./record-buckets.ts";
import {
  type HeldRecord,
  type PutOutcome,
  type RecordPut,
  type RecordStore,
  type RecordStoreOptions,
  requireSizes,
  type StoredRecord,
  type StoreStatistics,
  type SweepOutcome,
} from "./record-store.ts";
import { markOf } from "./store-mark.ts";

/** Where records are kept, and how much of the disk they may take. */
export interface LevelRecordStoreOptions extends RecordStoreOptions {
  /** A folder of its own; made if it is not there. */
  readonly path: string;
  /** Free bytes of the disk below which no new record is taken. */
  readonly diskReserveBytes?: number;
}

/**
 * Sealed cells do not compress. Tables are mapped into memory by the engine, so their number bounds
 * what a node seems to use: 64 of 2 MiB, beside ten other files, are all that its records add.
 * Tables of 1 MiB would halve that, and make expiry half as dear again.
 */
const LEVEL_OPTIONS = {
  keyEncoding: "view",
  valueEncoding: "view",
  compression: false,
  cacheSize: 8 * 2 ** 20,
  writeBufferSize: 4 * 2 ** 20,
  maxOpenFiles: 74,
} as const;

const DISK_RESERVE_BYTES = 128 * 2 ** 20;
/** Of that, what the engine needs to be opened: it writes what its log has. */
const REOPENING_SHARE = 1 / 4;
/** Records in one durable write: two milliseconds to prepare, in which nothing else happens. */
const WRITE_RECORDS_MAX = 256;

interface WaitingPut {
  readonly puts: readonly RecordPut[];
  readonly nowMs: number;
  resolve(outcomes: readonly PutOutcome[]): void;
  reject(error: unknown): void;
}

/**
 * Records on disk, in `level`. They lie in the order of their expiry and are found through an index
 * in memory (24 bytes a record, rebuilt from disk at the start: 0.1 s for a million); so a new
 * address costs no read, expiry drops whole ranges, and the disk is given back without rewriting
 * what lives.
 *
 * Puts that come while a write is under way share the next one. Writes and sweeps take turns; reads
 * never wait. After a failed write the database is opened anew before the next one.
 */
export class LevelRecordStore implements RecordStore {
  readonly payloadSize: number;
  readonly sharesNoMemory: boolean = true;
  mark: Uint8Array = new Uint8Array(0);
  readonly #options: LevelRecordStoreOptions;
  readonly #db: Level<Uint8Array, Uint8Array>;
  #index: AddressIndex;
  readonly #buckets = new RecordBuckets();
  readonly #waiting: WaitingPut[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  readonly #compaction = new LevelCompaction();
  #recordsPerValue = 1;
  #scratch = new Uint8Array(0);
  #bytes = 0;
  #isDiskFull = false;
  #isBroken = false;
  #closing: Promise<void> | undefined;

  private constructor(options: LevelRecordStoreOptions, db: Level<Uint8Array, Uint8Array>) {
    this.payloadSize = options.payloadSize;
    this.#options = options;
    this.#db = db;
    this.#index = new AddressIndex(options.entriesMax, new Uint8Array(16));
  }

  /**
   * Opens the store at `path`, which no other process may have open.
   *
   * @throws CulvertError `CULVERT_STATE_IN_USE`, `CULVERT_BAD_STATE`, `CULVERT_FILE`,
   *   `CULVERT_UNSUPPORTED`, or `CULVERT_GEOMETRY_CHANGED` when its records are of another size
   * @throws RangeError for sizes that bound nothing
   */
  static async open(options: LevelRecordStoreOptions): Promise<LevelRecordStore> {
    requireSizes(options);
    try {
      await makeFolder(options.path, 0o700);
    } catch (error) {
      throw asOpeningError(error, options.path);
    }
    const level = await loadMachineCode("classic-level", () => import("level"));
    const db = new level.Level<Uint8Array, Uint8Array>(options.path, LEVEL_OPTIONS);
    const store = new LevelRecordStore(options, db);
    try {
      await store.#load();
      return store;
    } catch (error) {
      await db.close();
      throw asOpeningError(error, options.path);
    }
  }

  put(puts: readonly RecordPut[], nowMs: number): Promise<readonly PutOutcome[]> {
    return new Promise((resolve, reject) => {
      this.#throwIfClosed();
      this.#waiting.push({ puts, nowMs, resolve, reject });
      this.#inTurn(() => this.#writeWaiting()).catch(reject);
    });
  }

  get(address: Uint8Array, nowMs: number): StoredRecord | undefined {
    this.#throwIfClosed();
    try {
      const found = this.#find(address);
      return found !== undefined && found.expiresMs > nowMs ? found : undefined;
    } catch (error) {
      throw asStoreError(error);
    }
  }

  held(nowMs: number): AsyncIterable<HeldRecord> {
    this.#throwIfClosed();
    return readHeld(this.#db, this.payloadSize, nowMs);
  }

  async sweep(nowMs: number, limit: number): Promise<SweepOutcome> {
    this.#throwIfClosed();
    try {
      const outcome = await this.#inTurn(async () => {
        await this.#repair();
        this.#isDiskFull = !(await this.#hasDisk(1));
        return await this.#sweepSome(nowMs, limit);
      });
      if (outcome.isDone) await this.#compaction.run(this.#db, this.#bytes);
      return outcome;
    } catch (error) {
      throw asStoreError(error);
    }
  }

  statistics(): StoreStatistics {
    const { entriesMax, bytesMax } = this.#options;
    const { size: entries } = this.#index;
    return { entries, entriesMax, bytes: this.#bytes, bytesMax, isDiskFull: this.#isDiskFull };
  }

  close(): Promise<void> {
    this.#closing ??= this.#inTurn(() => this.#db.close());
    return this.#closing;
  }

  #throwIfClosed(): void {
    if (this.#closing === undefined) return;
    throw new CulvertError("CULVERT_CLOSED", "the store is closed");
  }

  /** Runs work that changes the store after all that was asked for before. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    // Its own caller hears of a failure; whoever is next only has to wait.
    this.#turn = result.catch(() => {});
    return result;
  }

  async #writeWaiting(): Promise<void> {
    const calls = this.#takeWaiting();
    if (calls.length === 0) return;
    try {
      await this.#repair();
      await this.#makeRoom(calls);
      const outcomes = await this.#write(calls);
      for (const [index, call] of calls.entries()) call.resolve(outcomes[index] ?? []);
    } catch (error) {
      const failure = asStoreError(error);
      for (const call of calls) call.reject(failure);
    }
  }

  /** The calls that share the next write; each call that is left has a turn of its own coming. */
  #takeWaiting(): WaitingPut[] {
    let records = 0;
    const isOver = ({ puts }: WaitingPut): boolean => {
      records += puts.length;
      return records > WRITE_RECORDS_MAX;
    };
    const end = this.#waiting.findIndex(isOver);
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : Math.max(end, 1));
  }

  async #write(calls: readonly WaitingPut[]): Promise<PutOutcome[][]> {
    const write = new LevelRecordWrite({
      db: this.#db,
      recordsPerValue: this.#recordsPerValue,
      scratch: this.#scratch,
      find: (address) => this.#find(address),
      tagOf: (address) => this.#index.tagOf(address),
      nextSerial: (bucket, beginsValue) =>
        this.#buckets.nextSerial(bucket, beginsValue ? this.#recordsPerValue : 1),
      hasRoom: (added) => this.#hasRoom(added),
      mates: (place) => this.#mates(place),
    });
    try {
      const outcomes = calls.map(({ puts, nowMs }) => puts.map((put) => write.add(put, nowMs)));
      await write.commit();
      for (const placed of write.changes.added) this.#learn(placed.tag, placed);
      for (const { tag, place, record } of write.changes.removed) {
        this.#forget(tag, { ...place, seq: record.seq });
      }
      return outcomes;
    } catch (error) {
      this.#isBroken = true;
      await write.discard();
      throw error;
    }
  }

  /** The one record of the address. A put replaces it though it is over: clocks are set back. */
  #find(address: Uint8Array): PlacedRecord | undefined {
    const tag = this.#index.tagOf(address);
    for (const place of this.#index.places(tag)) {
      const first = valuePlace(place, this.#recordsPerValue);
      const value = this.#db.getSync(recordKey(first));
      const position = place.serial - first.serial;
      const stored = value && decodeStoredAt(plainBytes(value), position, this.payloadSize);
      if (stored && equalBytes(stored.record.address, address)) return { ...stored, place, tag };
    }
    return undefined;
  }

  #mates(place: Place): (Place & { isAlive: boolean })[] {
    const { bucket, serial } = valuePlace(place, this.#recordsPerValue);
    const value = this.#db.getSync(recordKey({ bucket, serial }));
    if (value === undefined) return [];
    return decodeValue(plainBytes(value), this.payloadSize).map(({ record }, i) => {
      const mate = { bucket, serial: serial + i };
      return { ...mate, isAlive: this.#index.has(this.#index.tagOf(record.address), mate) };
    });
  }

  #learn(tag: number, { place, record }: PlacedRecord): void {
    assert(this.#index.insert(tag, place), "the index has room for every entry of the store");
    this.#bytes += this.#bytesOf(record.seq);
  }

  /** False when the record was replaced before. */
  #forget(tag: number, gone: Replaced): boolean {
    if (!this.#index.remove(tag, gone)) return false;
    this.#bytes -= this.#bytesOf(gone.seq);
    return true;
  }

  #bytesOf(seq: Sequence): number {
    return RECORD_HEADER_BYTES + payloadLength(seq, this.payloadSize);
  }

  #hasRoom(added: { readonly entries: number; readonly bytes: number }): boolean {
    const { entriesMax, bytesMax } = this.#options;
    if (this.#isDiskFull || this.#index.size + added.entries > entriesMax) return false;
    return this.#bytes + added.bytes <= bytesMax;
  }

  /** Removes what has expired if that is needed for these puts, and only then. */
  async #makeRoom(calls: readonly WaitingPut[]): Promise<void> {
    const entries = calls.reduce((sum, { puts }) => sum + puts.length, 0);
    const bytes = entries * (RECORD_HEADER_BYTES + this.payloadSize);
    const nowMs = Math.max(...calls.map((call) => call.nowMs));
    while (!this.#hasRoom({ entries, bytes })) {
      if ((await this.#sweepSome(nowMs, WRITE_RECORDS_MAX)).isDone) return;
    }
  }

  async #sweepSome(nowMs: number, limit: number): Promise<SweepOutcome> {
    let removed = 0;
    while (removed < limit) {
      const bucket = this.#buckets.first;
      if (bucket === undefined || !isBucketOver(bucket, nowMs)) return { removed, isDone: true };
      const swept = await this.#sweepBucket(bucket, limit - removed);
      removed += swept;
      if (swept > 0) continue;
      this.#buckets.dropFirst();
    }
    return { removed, isDone: false };
  }

  /**
   * Records go by their keys, with their entries in the index: a range would have the engine read
   * all of them once more.
   */
  async #sweepBucket(bucket: number, limit: number): Promise<number> {
    const swept: IndexedRecord[] = [];
    const keys: Uint8Array[] = [];
    for await (const entries of readIndex(this.#db, indexRange(bucket))) {
      for (const [first, value] of entries) {
        const end = first.serial + visitIndex(first, value, (record) => swept.push(record));
        keys.push(indexKey(first));
        let { serial } = valuePlace(first, this.#recordsPerValue);
        for (; serial < end; serial += this.#recordsPerValue)
          keys.push(recordKey({ bucket, serial }));
      }
      if (swept.length >= limit) break;
    }
    const removed = this.#db.batch(keys.map((key) => ({ type: "del", key })));
    for (const record of swept) {
      if (this.#forget(record.tag, record)) this.#compaction.add(this.#bytesOf(record.seq), bucket);
    }
    try {
      await removed;
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
    return swept.length;
  }

  async #hasDisk(shareOfReserve: number): Promise<boolean> {
    const { path, diskReserveBytes = DISK_RESERVE_BYTES } = this.#options;
    return (await freeBytes(path)) >= shareOfReserve * diskReserveBytes;
  }

  /** After a failed write nobody knows what is on disk, nor whether the engine takes another. */
  async #repair(): Promise<void> {
    if (!this.#isBroken) return;
    // Where it could not be opened again it can still be read.
    if (!(await this.#hasDisk(REOPENING_SHARE))) throw new CulvertError("CULVERT_FULL");
    await this.#db.close();
    await this.#load();
    this.#isBroken = false;
  }

  async #load(): Promise<void> {
    await this.#db.open();
    const { payloadSize, secret, recordsPerValue } = await readHead(this.#db, this.payloadSize);
    if (payloadSize !== this.payloadSize) {
      const detail = { stored: payloadSize, asked: this.payloadSize };
      const message = `the store has cells of ${payloadSize} bytes, not of ${this.payloadSize}`;
      throw new CulvertError("CULVERT_GEOMETRY_CHANGED", message, { detail });
    }
    this.#recordsPerValue = recordsPerValue;
    this.mark = markOf(secret);
    this.#scratch = new Uint8Array(recordsPerValue * storedBytesMax(payloadSize));
    // More records than the limit says are there when the limit was lowered.
    let capacity = this.#options.entriesMax + WRITE_RECORDS_MAX;
    while (!(await this.#fillIndex(new AddressIndex(capacity, secret)))) capacity *= 2;
    this.#isDiskFull = !(await this.#hasDisk(1));
  }

  /** False when it is too small. Reads use the one that there was until this one is whole. */
  async #fillIndex(index: AddressIndex): Promise<boolean> {
    const filled = await fillIndex(this.#db, index, (seq) => this.#bytesOf(seq));
    if (filled === undefined || index.room < WRITE_RECORDS_MAX) return false;
    this.#index = index;
    this.#bytes = filled.bytes;
    this.#buckets.reset(filled.serials);
    // What was removed before may still be on disk: the next sweep gives it back.
    const first = this.#buckets.first ?? 0;
    this.#compaction.add(this.#options.bytesMax, 0);
    this.#compaction.add(0, Math.max(first - 1, 0));
    return true;
  }
}
