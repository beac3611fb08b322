import type { Level } from "level";
import { systemRandom } from "../io/random.ts";
import type { Place } from "./address-index.ts";
import {
  decodeHead,
  decodeValue,
  encodeHead,
  HEAD_KEY,
  placeOfIndexKey,
  recordRange,
  recordsPerValue,
  type StoreHead,
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
  if (stored !== undefined) return decodeHead(plain(stored));
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

/**
 * The records that have not expired, those that expire first at first. A record whose life was
 * extended in the meantime may come twice.
 */
export async function* readHeld(
  db: Database,
  payloadSize: number,
  nowMs: number,
): AsyncGenerator<HeldRecord> {
  const iterator = db.values({ ...recordRange(nowMs), highWaterMarkBytes: AHEAD_BYTES });
  for await (const value of iterator) {
    for (const { record, expiresMs } of decodeValue(plain(value), payloadSize)) {
      if (expiresMs > nowMs) yield { address: record.address.slice(), expiresMs };
    }
  }
}

/** `level` hands out Node Buffers; the rest of the house knows only plain byte arrays. */
export function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
