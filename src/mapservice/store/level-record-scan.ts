import type { Level } from "level";
import { plainBytes } from "../../base/index.ts";
import { systemRandom } from "../../io/random.ts";
import type { Sequence } from "../record/record.ts";
import type { AddressIndex, Place } from "./address-index.ts";
import { asStoreError } from "./level-errors.ts";
import {
  decodeHead,
  decodeValue,
  encodeHead,
  HEAD_KEY,
  type IndexedRecord,
  indexRange,
  placeOfIndexKey,
  recordRange,
  recordsPerValue,
  type StoreHead,
  visitIndex,
} from "./level-record-layout.ts";
import type { HeldRecord } from "./record-store.ts";

type Database = Level<Uint8Array, Uint8Array>;

/** Index entries read in one go at the start: some 100 KiB. */
const LOAD_STEP = 1_000;
/** Bytes of records that are read ahead. */
const AHEAD_BYTES = 64 * 1_024;

/** What the store agreed on when it was made, which is now if it has no head. */
export async function readHead(db: Database, payloadSize: number): Promise<StoreHead> {
  const stored = db.getSync(HEAD_KEY);
  if (stored !== undefined) return decodeHead(plainBytes(stored));
  const secret = systemRandom.bytes(16);
  const head = { payloadSize, secret, recordsPerValue: recordsPerValue(payloadSize) };
  await db.batch().put(HEAD_KEY, encodeHead(head)).write({ sync: true });
  return head;
}

/** Index entries in order, some hundreds at a time: where each begins, and its value. */
export async function* readIndex(
  db: Database,
  range: { readonly gte: Uint8Array; readonly lt: Uint8Array },
): AsyncGenerator<[first: Place, value: Uint8Array][]> {
  const iterator = db.iterator({ ...range, highWaterMarkBytes: AHEAD_BYTES });
  try {
    for (let step = 16; ; step = Math.min(2 * step, LOAD_STEP)) {
      const entries = await iterator.nextv(step);
      if (entries.length === 0) return;
      yield entries.map(([key, value]) => [placeOfIndexKey(key), value]);
    }
  } finally {
    await iterator.close();
  }
}

/** What the index on disk tells beside the places of records. */
interface Indexed {
  readonly bytes: number;
  /** The next number of each bucket that has records. */
  readonly serials: Map<number, number>;
}

/**
 * Reads the index on disk into `index`. Nothing when that is too small: each write adds what it
 * replaces before that goes.
 */
export async function fillIndex(
  db: Database,
  index: AddressIndex,
  bytesOf: (seq: Sequence) => number,
): Promise<Indexed | undefined> {
  const serials = new Map<number, number>();
  let bytes = 0;
  let isFull = false;
  const learn = (record: IndexedRecord): void => {
    const { tag, seq, replaced } = record;
    isFull ||= !index.insert(tag, record);
    bytes += bytesOf(seq);
    if (replaced !== undefined && index.remove(tag, replaced)) bytes -= bytesOf(replaced.seq);
  };
  for await (const entries of readIndex(db, indexRange())) {
    for (const [first, value] of entries) {
      serials.set(first.bucket, first.serial + visitIndex(first, value, learn));
    }
    if (isFull) return undefined;
  }
  return { bytes, serials };
}

/**
 * The records that have not expired, those that expire first at first. A record whose life was
 * extended in the meantime may come twice.
 *
 * @throws CulvertError `CULVERT_FILE` also when the store is closed, or opened anew, in between
 */
export async function* readHeld(
  db: Database,
  payloadSize: number,
  nowMs: number,
): AsyncGenerator<HeldRecord> {
  try {
    const iterator = db.values({ ...recordRange(nowMs), highWaterMarkBytes: AHEAD_BYTES });
    for await (const value of iterator) {
      for (const { record, expiresMs } of decodeValue(plainBytes(value), payloadSize)) {
        if (expiresMs > nowMs) yield { address: record.address.slice(), expiresMs };
      }
    }
  } catch (error) {
    throw asStoreError(error);
  }
}
