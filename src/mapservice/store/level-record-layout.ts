import { CulvertError } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import {
  ADDRESS_BYTES,
  isFault,
  parseRecord,
  RECORD_HEADER_BYTES,
  SEQUENCE,
  type Sequence,
  SIGNATURE_BYTES,
  writeRecord,
} from "../record/record.ts";
import type { Place } from "./address-index.ts";
import type { StoredRecord } from "./record-store.ts";

/**
 * How records lie in `level`. Keys are a kind, a bucket of expiry and a number within it, so
 * records lie in the order in which they expire: new ones are appended, expired ones are one range,
 * and neither makes the engine rewrite what lives.
 *
 * | key | value |
 * | --- | --- |
 * | `h` | head: version, geometry, secret of the index, records that share a value |
 * | `i` bucket 4, serial 4 | of each record from this serial on: tag 4, sequences 1, replaced |
 * | `r` bucket 4, serial 4 | of each record from this serial on: expiry 6, record |
 *
 * Small records of one write share a value, and so one key: the serial of a value is a multiple of
 * the number of records that it has room for, which is 1 in a head of version 1.
 *
 * The low half of `sequences` is the record's own, the high half that of the record it replaced, or
 * zero; `replaced` (bucket 4, serial 4) is there when that is not zero.
 */
const KIND = { head: 0x68, index: 0x69, record: 0x72 } as const;

const LAYOUT_VERSION_SINGLE = 1;
const LAYOUT_VERSION = 2;

/** Records share a value up to this length: more make expiry cheaper, and a get dearer. */
const VALUE_BYTES_MAX = 10_000;
/** What a head may say that an earlier or later build has written. */
const RECORDS_PER_VALUE_MAX = 64;

/** Records expire in buckets of this length: they are removed up to so much later. */
const BUCKET_MS = 10_000;

/** What the whole store agrees on. */
export interface StoreHead {
  readonly payloadSize: number;
  /** 16 random bytes that the tags depend on. */
  readonly secret: Uint8Array;
  /** Records that a value has room for. */
  readonly recordsPerValue: number;
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

/** How many records share a value in a new store. */
export function recordsPerValue(payloadSize: number): number {
  let records = 1;
  while (2 * records * storedBytesMax(payloadSize) <= VALUE_BYTES_MAX) records *= 2;
  return records;
}

/** The place of the first record in the value that the record of this place lies in. */
export function valuePlace({ bucket, serial }: Place, perValue: number): Place {
  return { bucket, serial: serial - (serial % perValue) };
}

/** The key of the value that begins at this place. */
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

const EXPIRY_BYTES = 6;
/** Where a record has its sequence, behind address and signature. */
const SEQUENCE_AT = ADDRESS_BYTES + SIGNATURE_BYTES;

/** How long what is kept of a record is at most. */
export function storedBytesMax(payloadSize: number): number {
  return EXPIRY_BYTES + RECORD_HEADER_BYTES + payloadSize;
}

/** Writes a value of these records into `scratch`, and returns a view of it. */
export function encodeValue(records: readonly StoredRecord[], scratch: Uint8Array): Uint8Array {
  let at = 0;
  for (const { record, expiresMs } of records) {
    writeU32(scratch, at, expiresMs / 2 ** 16);
    scratch[at + 4] = expiresMs >>> 8;
    scratch[at + 5] = expiresMs;
    at = writeRecord(record, scratch, at + EXPIRY_BYTES);
  }
  return scratch.subarray(0, at);
}

/** The records of a value, up to the first bytes that are none; their fields are views of it. */
export function decodeValue(value: Uint8Array, payloadSize: number): StoredRecord[] {
  const records: StoredRecord[] = [];
  for (let at = 0; ; ) {
    const end = endOfStored(value, at, payloadSize);
    const stored = decodeStored(value.subarray(at, end), payloadSize);
    if (stored === undefined) return records;
    records.push(stored);
    at = end;
  }
}

/** The record at a position of a value, whose fields are views of it; `undefined` for none. */
export function decodeStoredAt(
  value: Uint8Array,
  position: number,
  payloadSize: number,
): StoredRecord | undefined {
  let at = 0;
  for (let i = 0; i < position; i++) at = endOfStored(value, at, payloadSize);
  return decodeStored(value.subarray(at, endOfStored(value, at, payloadSize)), payloadSize);
}

/** Where the record ends that begins at `at`: its sequence tells whether it has a payload. */
function endOfStored(value: Uint8Array, at: number, payloadSize: number): number {
  const isTombstone = value[at + EXPIRY_BYTES + SEQUENCE_AT] === SEQUENCE.tombstone;
  const length = EXPIRY_BYTES + RECORD_HEADER_BYTES + (isTombstone ? 0 : payloadSize);
  return Math.min(at + length, value.length);
}

function decodeStored(bytes: Uint8Array, payloadSize: number): StoredRecord | undefined {
  if (bytes.length < EXPIRY_BYTES) return undefined;
  const reader = new Reader(bytes);
  const expiresMs = reader.u48("expiry");
  const record = parseRecord(reader.rest(), payloadSize);
  return isFault(record) ? undefined : { record, expiresMs };
}

export function encodeHead({ payloadSize, secret, recordsPerValue }: StoreHead): Uint8Array {
  const version = recordsPerValue === 1 ? LAYOUT_VERSION_SINGLE : LAYOUT_VERSION;
  const writer = new Writer(26).u8(version).u32(payloadSize).u32(BUCKET_MS).bytes(secret);
  if (version === LAYOUT_VERSION) writer.u8(recordsPerValue);
  return writer.finish();
}

/** @throws CulvertError `CULVERT_BAD_STATE`, with its `version` where that is not known here */
export function decodeHead(value: Uint8Array): StoreHead {
  const [version = 0] = value;
  if (version > LAYOUT_VERSION) {
    const message = "the store is of another version of Culvert";
    throw new CulvertError("CULVERT_BAD_STATE", message, { detail: { version } });
  }
  return parsed("head", () => {
    const reader = new Reader(value);
    if (reader.u8("version") === 0) reader.refuse("version", "is none");
    const payloadSize = reader.u32("payload size");
    if (reader.u32("bucket") !== BUCKET_MS) reader.refuse("bucket", "has another length");
    const secret = reader.bytes(16, "secret").slice();
    const recordsPerValue = version === LAYOUT_VERSION ? reader.u8("records per value") : 1;
    const isUsual = version === LAYOUT_VERSION_SINGLE || recordsPerValue > 1;
    if (!isUsual || recordsPerValue > RECORDS_PER_VALUE_MAX) {
      reader.refuse("records per value", `is ${recordsPerValue}`);
    }
    reader.expectEnd();
    return { payloadSize, secret, recordsPerValue };
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
  const key = new Uint8Array(9);
  key[0] = kind;
  writeU32(key, 1, bucket);
  writeU32(key, 5, serial);
  return key;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function parsed<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    const message = `the ${what} of the store is not one`;
    throw new CulvertError("CULVERT_BAD_STATE", message, { cause: error });
  }
}
