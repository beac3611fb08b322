import { CulvertError } from "../base/index.ts";
import { Reader, Writer } from "../codec/index.ts";
import type { Place } from "./address-index.ts";
import {
  isFault,
  parseRecord,
  RECORD_HEADER_BYTES,
  SEQUENCE,
  type Sequence,
  writeRecord,
} from "./record.ts";
import type { StoredRecord } from "./record-store.ts";

/**
 * How records lie in `level`. Keys are a kind, a bucket of expiry and a number within it, so
 * records lie in the order in which they expire: new ones are appended, expired ones are one range,
 * and neither makes the engine rewrite what lives.
 *
 * | key | value |
 * | --- | --- |
 * | `h` | head: version, geometry, secret of the index |
 * | `i` bucket 4, serial 4 | of each record from this serial on: tag 4, sequences 1, replaced |
 * | `r` bucket 4, serial 4 | expiry 6, record |
 *
 * The low half of `sequences` is the record's own, the high half that of the record it replaced, or
 * zero; `replaced` (bucket 4, serial 4) is there when that is not zero.
 */
const KIND = { head: 0x68, index: 0x69, record: 0x72 } as const;

const LAYOUT_VERSION = 1;

/** Records expire in buckets of this length: they are removed up to so much later. */
export const BUCKET_MS = 10_000;

/** What the whole store agrees on. */
export interface StoreHead {
  readonly payloadSize: number;
  /** 16 random bytes that the tags depend on. */
  readonly secret: Uint8Array;
}

/** What a new record takes the place of. It lies before the new one: no life gets shorter. */
export interface Replaced extends Place {
  readonly seq: Sequence;
}

/** What the index on disk tells of one record. */
export interface IndexedRecord extends Place {
  readonly tag: number;
  readonly seq: Sequence;
  readonly replaced: Replaced | undefined;
}

/** The key of the head. */
export const HEAD_KEY: Uint8Array = Uint8Array.of(KIND.head);

/** The bucket of an expiry: the first one that ends at or after it. */
export function bucketOf(expiresMs: number): number {
  return Math.ceil(expiresMs / BUCKET_MS);
}

/** True when everything in the bucket has expired. */
export function isBucketOver(bucket: number, nowMs: number): boolean {
  return bucket * BUCKET_MS <= nowMs;
}

export function recordKey(place: Place): Uint8Array {
  return placeKey(KIND.record, place);
}

export function indexKey(place: Place): Uint8Array {
  return placeKey(KIND.index, place);
}

/** Where the records, and where the index entries, of these buckets begin and end. */
export function bucketRanges(from: number, to: number): { start: Uint8Array; end: Uint8Array }[] {
  const [first, after] = [
    { bucket: from, serial: 0 },
    { bucket: to + 1, serial: 0 },
  ];
  return [
    { start: recordKey(first), end: recordKey(after) },
    { start: indexKey(first), end: indexKey(after) },
  ];
}

/** All index keys of a bucket, or of all buckets. */
export function indexRange(bucket?: number): { gte: Uint8Array; lt: Uint8Array } {
  if (bucket === undefined)
    return { gte: Uint8Array.of(KIND.index), lt: Uint8Array.of(KIND.index + 1) };
  const serial = 0;
  return { gte: indexKey({ bucket, serial }), lt: indexKey({ bucket: bucket + 1, serial }) };
}

/** All keys of records that may not have expired yet. */
export function recordRange(nowMs: number): { gte: Uint8Array; lt: Uint8Array } {
  const gte = recordKey({ bucket: bucketOf(nowMs), serial: 0 });
  return { gte, lt: Uint8Array.of(KIND.record + 1) };
}

/** @throws CulvertError `CULVERT_BAD_STATE` */
export function placeOfIndexKey(key: Uint8Array): Place {
  return parsed("index key", () => {
    const reader = new Reader(key);
    if (reader.u8("kind") !== KIND.index) reader.refuse("kind", "is not that of an index");
    const place = { bucket: reader.u32("bucket"), serial: reader.u32("serial") };
    reader.expectEnd();
    return place;
  });
}

/** The index entry of records with serials in a row. */
export function encodeIndex(
  records: readonly Pick<IndexedRecord, "tag" | "seq" | "replaced">[],
): Uint8Array {
  const writer = new Writer(5 * records.length);
  for (const { tag, seq, replaced } of records) {
    writer.u32(tag).u8(seq | ((replaced?.seq ?? 0) << 4));
    if (replaced !== undefined) writer.u32(replaced.bucket).u32(replaced.serial);
  }
  return writer.finish();
}

/**
 * Calls `visit` for each record of an index entry and returns how many there are.
 *
 * @throws CulvertError `CULVERT_BAD_STATE`
 */
export function visitIndex(
  first: Place,
  value: Uint8Array,
  visit: (record: IndexedRecord) => void,
): number {
  return parsed("index", () => {
    const reader = new Reader(value);
    const { bucket } = first;
    let { serial } = first;
    for (; reader.remaining > 0; serial++) {
      const tag = reader.u32("tag");
      const sequences = reader.u8("sequences");
      const seq = sequenceOf(sequences & 15, reader);
      const replaced = sequences < 16 ? undefined : readReplaced(sequences >> 4, reader);
      visit({ bucket, serial, tag, seq, replaced });
    }
    return serial - first.serial;
  });
}

/** How long the value of a record is at most. */
export function storedBytesMax(payloadSize: number): number {
  return 6 + RECORD_HEADER_BYTES + payloadSize;
}

/** Writes the value of a record into `scratch`, and returns a view of it. */
export function encodeStored(stored: StoredRecord, scratch: Uint8Array): Uint8Array {
  Writer.into(scratch).u48(stored.expiresMs);
  return scratch.subarray(0, writeRecord(stored.record, scratch, 6));
}

/** The record, whose fields are views of `value`; `undefined` when the bytes are none. */
export function decodeStored(value: Uint8Array, payloadSize: number): StoredRecord | undefined {
  if (value.length < 6) return undefined;
  const reader = new Reader(value);
  const expiresMs = reader.u48("expiry");
  const record = parseRecord(reader.rest(), payloadSize);
  return isFault(record) ? undefined : { record, expiresMs };
}

export function encodeHead(head: StoreHead): Uint8Array {
  const writer = new Writer(25).u8(LAYOUT_VERSION).u32(head.payloadSize).u32(BUCKET_MS);
  return writer.bytes(head.secret).finish();
}

/** @throws CulvertError `CULVERT_BAD_STATE` */
export function decodeHead(value: Uint8Array): StoreHead {
  return parsed("head", () => {
    const reader = new Reader(value);
    if (reader.u8("version") !== LAYOUT_VERSION) reader.refuse("version", "is not known here");
    const payloadSize = reader.u32("payload size");
    if (reader.u32("bucket") !== BUCKET_MS) reader.refuse("bucket", "has another length");
    const secret = reader.bytes(16, "secret").slice();
    reader.expectEnd();
    return { payloadSize, secret };
  });
}

function readReplaced(seq: number, reader: Reader): Replaced {
  const bucket = reader.u32("bucket of the replaced");
  return { bucket, serial: reader.u32("serial of the replaced"), seq: sequenceOf(seq, reader) };
}

function sequenceOf(seq: number, reader: Reader): Sequence {
  if (seq === SEQUENCE.cell || seq === SEQUENCE.tombstone) return seq;
  return reader.refuse("sequence", `is ${seq}`);
}

function placeKey(kind: number, { bucket, serial }: Place): Uint8Array {
  return new Writer(9).u8(kind).u32(bucket).u32(serial).finish();
}

function parsed<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const message = `the ${what} of the store is not one`;
    throw new CulvertError("CULVERT_BAD_STATE", message, { cause: error });
  }
}
