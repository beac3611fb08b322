import type { Level } from "level";
import type { Place } from "./address-index.ts";
import { decodeStored, placeOfIndexKey, recordRange } from "./level-record-layout.ts";
import type { HeldRecord } from "./record-store.ts";

type Database = Level<Uint8Array, Uint8Array>;

/** Index entries read in one go at the start: some 100 KiB. */
const LOAD_STEP = 1_000;
/** Bytes of records that are read ahead. */
const AHEAD_BYTES = 64 * 1_024;

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
    const stored = decodeStored(plain(value), payloadSize);
    if (stored === undefined || stored.expiresMs <= nowMs) continue;
    yield { address: stored.record.address.slice(), expiresMs: stored.expiresMs };
  }
}

/** `level` hands out Node Buffers; the rest of the house knows only plain byte arrays. */
export function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
