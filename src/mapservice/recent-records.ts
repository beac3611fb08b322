import { equalBytes, LruMap } from "../base/index.ts";
import type { Receipt } from "./receipt.ts";
import { type MapRecord, RECORD_HEADER_BYTES } from "./record.ts";

/** A verified record at hand, until when it is durable, and the proof if one was made. */
export interface RecentRecord {
  readonly record: MapRecord;
  readonly expiresMs: number;
  readonly receipt: Receipt | undefined;
}

/** What the engine keeps beside a record: keys, objects, a receipt. */
const OVERHEAD_BYTES = 700;

/** Verified records used last, by address as a key, within a bound of bytes. */
export class RecentRecords {
  readonly #bytesMax: number;
  readonly #records = new LruMap<string, RecentRecord>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(key: string, unixMs: number): RecentRecord | undefined {
    const found = this.#records.get(key);
    if (found === undefined || found.expiresMs > unixMs) return found;
    this.#remove(key, found);
    return undefined;
  }

  /** Keeps `recent` unless something newer is here: a slow read must not bring back the past. */
  set(key: string, recent: RecentRecord): void {
    const before = this.#records.peek(key);
    if (before !== undefined) {
      if (isNewer(before, recent)) return;
      this.#remove(key, before);
    }
    this.#records.set(key, recent);
    this.#bytes += costOf(recent);
    while (this.#bytes > this.#bytesMax) {
      const { oldest } = this.#records;
      if (oldest === undefined) return;
      this.#remove(...oldest);
    }
  }

  #remove(key: string, recent: RecentRecord): void {
    this.#records.delete(key);
    this.#bytes -= costOf(recent);
  }
}

/** True for the same record: not a bit differs, so what was verified once is verified. */
export function isSameRecord(a: MapRecord, b: MapRecord): boolean {
  return (
    a.seq === b.seq && equalBytes(a.signature, b.signature) && equalBytes(a.payload, b.payload)
  );
}

function isNewer(a: RecentRecord, b: RecentRecord): boolean {
  if (a.record.seq !== b.record.seq) return a.record.seq > b.record.seq;
  return a.expiresMs > b.expiresMs || (a.expiresMs === b.expiresMs && b.receipt === undefined);
}

function costOf(recent: RecentRecord): number {
  return RECORD_HEADER_BYTES + recent.record.payload.length + OVERHEAD_BYTES;
}
