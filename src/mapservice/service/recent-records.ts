import { equalBytes } from "../../base/index.ts";
import type { AddressHash } from "../record/address-hash.ts";
import { AddressMap } from "../record/address-map.ts";
import type { Receipt } from "../record/receipt.ts";
import {
  ADDRESS_BYTES,
  type MapRecord,
  RECORD_HEADER_BYTES,
  recordIn,
  type Sequence,
  writeRecord,
} from "../record/record.ts";

/** A verified record at hand, until when it is durable, and the proof if one was made. */
export interface RecentRecord {
  readonly record: MapRecord;
  readonly expiresMs: number;
  readonly receipt: Receipt | undefined;
}

/** Where a record lies, and what is beside its bytes. */
interface Place {
  readonly slab: Uint8Array;
  readonly from: number;
  readonly to: number;
  readonly seq: Sequence;
  readonly expiresMs: number;
  readonly receipt: Receipt | undefined;
}

/** Memory for records, filled from its beginning and then used again. */
interface Slab {
  readonly bytes: Uint8Array;
  used: number;
  places: Place[];
}

const SLAB_BYTES = 262_144;

/**
 * The verified records that came last, by address. Their bytes lie in slabs, of which the
 * oldest is used again when all are full: memory of its own for each record would be garbage that
 * has grown old, of which the collector takes no notice until there are tens of MiB of it.
 */
export class RecentRecords {
  readonly #slabsMax: number;
  readonly #places: AddressMap<Place>;
  /** The oldest first. */
  readonly #slabs: Slab[] = [];
  /** The latest moment that it has heard of. */
  #latestMs = Number.NEGATIVE_INFINITY;

  /** @param hash under a secret that strangers do not know */
  constructor(bytesMax: number, hash: AddressHash) {
    this.#places = new AddressMap(hash);
    this.#slabsMax = Math.floor(bytesMax / SLAB_BYTES);
  }

  /** What is at hand; its bytes are borrowed until the next `set`. */
  get(address: Uint8Array, unixMs: number): RecentRecord | undefined {
    // The clock was set back: what was over by it may be gone from the store.
    if (unixMs < this.#latestMs) this.#places.clear();
    this.#latestMs = unixMs;
    const place = this.#places.get(address);
    if (place === undefined) return undefined;
    const { slab, from, to, expiresMs, receipt } = place;
    if (expiresMs > unixMs)
      return { record: recordIn(slab.subarray(from, to)), expiresMs, receipt };
    this.#places.delete(address);
    return undefined;
  }

  /** What had expired by then is gone from the store. */
  swept(unixMs: number): void {
    this.#latestMs = Math.max(this.#latestMs, unixMs);
  }

  /** The store has lost what it had: what is at hand is no proof any more that it has it. */
  clear(): void {
    this.#places.clear();
  }

  /**
   * Copies `recent` and keeps it, unless something newer is here: a slow read must not bring back
   * the past.
   */
  set({ record, expiresMs, receipt }: RecentRecord): void {
    const { address, seq } = record;
    const before = this.#places.get(address);
    if (before !== undefined && isNewer(before, { seq, expiresMs, receipt })) return;
    const slab = this.#slabFor(RECORD_HEADER_BYTES + record.payload.length);
    if (slab === undefined) return;
    const from = slab.used;
    slab.used = writeRecord(record, slab.bytes, from);
    const place = { slab: slab.bytes, from, to: slab.used, seq, expiresMs, receipt };
    slab.places.push(place);
    this.#places.set(address, place);
  }

  /** A slab with room for a record, which is a quarter of it at most; none where none is kept. */
  #slabFor(length: number): Slab | undefined {
    const newest = this.#slabs.at(-1);
    if (newest !== undefined && newest.used + length <= SLAB_BYTES) return newest;
    if (this.#slabsMax === 0) return undefined;
    const slab = this.#slabs.length < this.#slabsMax ? freshSlab() : this.#oldest();
    this.#slabs.push(slab);
    return slab;
  }

  /** Takes the oldest slab, and what lies in it, out. */
  #oldest(): Slab {
    const slab = this.#slabs.shift() ?? freshSlab();
    for (const place of slab.places) {
      const address = slab.bytes.subarray(place.from, place.from + ADDRESS_BYTES);
      if (this.#places.get(address) === place) this.#places.delete(address);
    }
    return { bytes: slab.bytes, used: 0, places: [] };
  }
}

/** True for the same record: not a bit differs, so what was verified once is verified. */
export function isSameRecord(a: MapRecord, b: MapRecord): boolean {
  return (
    a.seq === b.seq && equalBytes(a.signature, b.signature) && equalBytes(a.payload, b.payload)
  );
}

function freshSlab(): Slab {
  return { bytes: new Uint8Array(SLAB_BYTES), used: 0, places: [] };
}

type Age = Pick<Place, "seq" | "expiresMs" | "receipt">;

function isNewer(a: Age, b: Age): boolean {
  if (a.seq !== b.seq) return a.seq > b.seq;
  return a.expiresMs > b.expiresMs || (a.expiresMs === b.expiresMs && b.receipt === undefined);
}
