import { equalBytes, requirePositive } from "../../base/index.ts";
import type { MapRecord } from "../record/record.ts";

/** A record to keep until `expiresMs` (Unix milliseconds). Its signature has been verified. */
export interface RecordPut {
  readonly record: MapRecord;
  readonly expiresMs: number;
}

/** A record that is kept, and until when (Unix milliseconds). */
export interface StoredRecord {
  readonly record: MapRecord;
  readonly expiresMs: number;
}

/** A record that is kept, without its content. */
export interface HeldRecord {
  /** 32 bytes, handed over. */
  readonly address: Uint8Array;
  readonly expiresMs: number;
}

/** What became of one put; `expiresMs` is what is durable, and never less than it was before. */
export type PutOutcome =
  /** The address was free, or held a lower sequence. */
  | { readonly kind: "stored"; readonly expiresMs: number }
  /**
   * The address held these bytes already, whatever the signature; with how much longer they live
   * now, where that was changed.
   */
  | { readonly kind: "known"; readonly expiresMs: number; readonly gainedMs?: number }
  /** The address holds other bytes, or a higher sequence. */
  | { readonly kind: "conflict" }
  /** No room for a new address, also after everything expired was removed. */
  | { readonly kind: "full" };

/** What one bounded step of sweeping did. */
export interface SweepOutcome {
  readonly removed: number;
  /** Nothing expired is left. */
  readonly isDone: boolean;
  /** What it had is gone, all of it or some: what is beneath was emptied, or replaced. */
  readonly isBegunAnew?: boolean;
}

/** How much of a store is in use. Expired records count until they are swept. */
export interface StoreStatistics {
  readonly entries: number;
  readonly entriesMax: number;
  /** Bytes of the records, without what the engine adds. */
  readonly bytes: number;
  readonly bytesMax: number;
  /** The medium beneath has no room to spare, whatever the counts say. */
  readonly isDiskFull: boolean;
}

/** The size and the limits of a store. */
export interface RecordStoreOptions {
  /** Exact length of the payload of every cell. */
  readonly payloadSize: number;
  readonly entriesMax: number;
  /** Bytes of records; the engine beneath needs some more. */
  readonly bytesMax: number;
}

/**
 * Refuses sizes of a store that bound nothing.
 *
 * @throws RangeError
 */
export function requireSizes({ payloadSize, entriesMax, bytesMax }: RecordStoreOptions): void {
  requirePositive("payloadSize", payloadSize);
  requirePositive("entriesMax", entriesMax);
  requirePositive("bytesMax", bytesMax);
}

/**
 * Where records live. It knows addresses, sequences and time, and nothing of keys and signatures.
 *
 * - `put` is one durable step for the whole batch: when it resolves, every outcome is true after a
 *   crash at any instant; a crash before leaves for each put all of it or nothing. Puts of one
 *   batch take effect in order; calls may overlap, and share a durable write where the engine can.
 * - A record is never returned at or after its expiry, swept or not, and never dropped before it.
 * - Time is handed in as Unix milliseconds; there is no clock inside.
 * - Records are handed over: nobody writes to their bytes any more, nor to those of `get`, unless
 *   the store `sharesNoMemory`.
 * - A failure of the engine rejects with a `CulvertError`; the store stays usable or says so again.
 */
export interface RecordStore {
  /** Exact length of the payload of every cell. */
  readonly payloadSize: number;
  /**
   * 16 bytes that were drawn when the store was begun: with others it has lost what it had, which
   * may happen while it is open. Absent where that cannot be told.
   */
  readonly mark?: Uint8Array;
  /**
   * True when it looks at nothing again that it was given, once that `put` is over, nor at what it
   * has given for a `get`: such memory may go on to a reader who overwrites it.
   */
  readonly sharesNoMemory?: boolean;
  put(puts: readonly RecordPut[], nowMs: number): Promise<readonly PutOutcome[]>;
  /** At once where the engine can: a promise costs more than a lookup in memory. */
  get(
    address: Uint8Array,
    nowMs: number,
  ): StoredRecord | undefined | Promise<StoredRecord | undefined>;
  /**
   * What it holds, from an earlier run too, in no order that matters and perhaps twice, while puts
   * and gets go on; absent where nothing outlives the process.
   */
  held?(nowMs: number): AsyncIterable<HeldRecord>;
  /** Removes about `limit` expired records at most, the longest expired first. */
  sweep(nowMs: number, limit: number): Promise<SweepOutcome>;
  statistics(): StoreStatistics;
  /**
   * Finishes what was begun and lets go of every resource; what is asked from then on is refused
   * with `CULVERT_CLOSED`. Closing twice does nothing.
   */
  close(): Promise<void>;
}

/** A store that does some things in another way; its mark, and what it holds, it does not tell. */
export function storeOver(store: RecordStore, changes: Partial<RecordStore>): RecordStore {
  return {
    payloadSize: store.payloadSize,
    get: (address, nowMs) => store.get(address, nowMs),
    put: (puts, nowMs) => store.put(puts, nowMs),
    sweep: (nowMs, limit) => store.sweep(nowMs, limit),
    statistics: () => store.statistics(),
    close: () => store.close(),
    ...changes,
  };
}

/** What to do about a put, given what the address holds. */
export type PutDecision = "store" | "replace" | "extend" | "keep" | "conflict";

/**
 * An extension that gains less than this share of the life that is left is not worth a durable
 * write: the answer then tells the expiry that is on the medium already.
 */
export const EXTENSION_SHARE: number = 1 / 64;

/** Decides a put by the write-once rule of every store; an expired record counts as absent. */
export function decidePut(
  held: StoredRecord | undefined,
  put: RecordPut,
  nowMs: number,
): PutDecision {
  if (held === undefined || held.expiresMs <= nowMs) return "store";
  if (put.record.seq > held.record.seq) return "replace";
  if (put.record.seq < held.record.seq) return "conflict";
  if (!equalBytes(put.record.payload, held.record.payload)) return "conflict";
  return isWorthExtending(held.expiresMs, put.expiresMs, nowMs) ? "extend" : "keep";
}

/** Whether moving an expiry from `heldMs` to `askedMs` deserves a durable write. */
export function isWorthExtending(heldMs: number, askedMs: number, nowMs: number): boolean {
  return askedMs - heldMs > Math.max((askedMs - nowMs) * EXTENSION_SHARE, 0);
}

/** How full a store is, from 0 to 1. */
export function fillOf(statistics: StoreStatistics): number {
  if (statistics.isDiskFull) return 1;
  const { entries, entriesMax, bytes, bytesMax } = statistics;
  return Math.min(Math.max(entries / entriesMax, bytes / bytesMax), 1);
}

/** Whole seconds until `expiresMs`, as answers tell them. */
export function secondsLeft(expiresMs: number, unixMs: number): number {
  return Math.max(Math.floor((expiresMs - unixMs) / 1_000), 0);
}
