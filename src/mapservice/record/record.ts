import { assert, concatBytes, utf8 } from "../../base/index.ts";
import { crypto } from "../../crypto/index.ts";
import { rawMemory } from "../../io/memory.ts";

/** Length of an address: an ed25519 public key, blinded for one frame. */
export const ADDRESS_BYTES: number = 32;

/** Length of an ed25519 signature. */
export const SIGNATURE_BYTES: number = 64;

/**
 * Length of everything that comes before the payload: address, signature, sequence, time to live.
 */
export const RECORD_HEADER_BYTES: number = 101;

/** The largest payload that a network may agree on. */
export const PAYLOAD_BYTES_MAX: number = 65_536;

/** The sequence of a cell, and of the tombstone that ends it: a higher one replaces a lower one. */
export const SEQUENCE: { readonly cell: 1; readonly tombstone: 2 } = Object.freeze({
  cell: 1,
  tombstone: 2,
});

/** A record's sequence: {@link SEQUENCE}. */
export type Sequence = 1 | 2;

/** What the Map keeps under one address. */
export interface MapRecord {
  /** 32 bytes: the public key that `signature` verifies under. */
  readonly address: Uint8Array;
  /** 64 bytes, over {@link signedBytes}. */
  readonly signature: Uint8Array;
  readonly seq: Sequence;
  /** Asked for in a put, left in an answer (0: unknown); no part of what is signed. */
  readonly ttlSeconds: number;
  /** One cell of the network's size; empty in a tombstone. */
  readonly payload: Uint8Array;
}

/** Why a record is refused. */
export type RecordFault =
  /** The payload is not of the network's size, or not empty in a tombstone. */
  | "size"
  /** The sequence is neither a cell's nor a tombstone's. */
  | "sequence"
  /** The address is not a usable key, or the signature is not one of that key for these bytes. */
  | "signature";

/** True for what is a fault and not a record. */
export function isFault(parsed: MapRecord | RecordFault): parsed is RecordFault {
  return typeof parsed === "string";
}

/** In front of a record by itself: its payload then begins where it can be opened by words. */
const ALIGNING_BYTES = -RECORD_HEADER_BYTES & 3;

/** The record as bytes: address 32, signature 64, sequence 1, time to live 4, payload. */
export function encodeRecord(record: MapRecord): Uint8Array {
  const bytes = alignedMemory(RECORD_HEADER_BYTES + record.payload.length);
  writeRecord(record, bytes, 0);
  return bytes;
}

/** A record as bytes that lie among others, in memory of its own. */
export function copyOfBytes(bytes: Uint8Array): Uint8Array {
  const copy = alignedMemory(bytes.length);
  copy.set(bytes);
  return copy;
}

/** All of it has to be written: zeros would cost a hundredth of a large frame. */
function alignedMemory(bytes: number): Uint8Array {
  return new Uint8Array(rawMemory(ALIGNING_BYTES + bytes), ALIGNING_BYTES);
}

/** The record as bytes, behind so many bytes that are left free. */
export function encodeRecordBehind(room: number, record: MapRecord): Uint8Array {
  const bytes = new Uint8Array(room + RECORD_HEADER_BYTES + record.payload.length);
  writeRecord(record, bytes, room);
  return bytes;
}

/** Writes the record into `bytes` from `at` on, and returns where it ends. */
export function writeRecord(record: MapRecord, bytes: Uint8Array, at: number): number {
  assert(record.address.length === ADDRESS_BYTES, "an address has its length");
  assert(record.signature.length === SIGNATURE_BYTES, "a signature has its length");
  bytes.set(record.address, at);
  bytes.set(record.signature, at + 32);
  bytes[at + 96] = record.seq;
  const { ttlSeconds } = record;
  bytes[at + 97] = ttlSeconds >>> 24;
  bytes[at + 98] = ttlSeconds >>> 16;
  bytes[at + 99] = ttlSeconds >>> 8;
  bytes[at + 100] = ttlSeconds;
  bytes.set(record.payload, at + RECORD_HEADER_BYTES);
  return at + RECORD_HEADER_BYTES + record.payload.length;
}

/**
 * The record in `bytes`, or why it is none; the signature is not looked at. The record's fields are
 * views of `bytes`.
 */
export function parseRecord(bytes: Uint8Array, payloadSize: number): MapRecord | RecordFault {
  if (bytes.length < RECORD_HEADER_BYTES) return "size";
  const seq = bytes[96];
  if (seq !== SEQUENCE.cell && seq !== SEQUENCE.tombstone) return "sequence";
  if (bytes.length !== RECORD_HEADER_BYTES + payloadLength(seq, payloadSize)) return "size";
  return viewOf(bytes, seq);
}

/** The record that {@link writeRecord} has written into all of `bytes`, of which it is views. */
export function recordIn(bytes: Uint8Array): MapRecord {
  return viewOf(bytes, bytes[96] === SEQUENCE.tombstone ? SEQUENCE.tombstone : SEQUENCE.cell);
}

/** The record in memory of its own. */
export function copyOf(record: MapRecord): MapRecord {
  return recordIn(encodeRecord(record));
}

/** The record as it is with so much life left; all else is shared. */
export function withTtl(record: MapRecord, ttlSeconds: number): MapRecord {
  if (record.ttlSeconds === ttlSeconds) return record;
  const { address, signature, seq, payload } = record;
  return { address, signature, seq, ttlSeconds, payload };
}

function viewOf(bytes: Uint8Array, seq: Sequence): MapRecord {
  return {
    address: bytes.subarray(0, 32),
    signature: bytes.subarray(32, 96),
    seq,
    ttlSeconds: readU32(bytes, 97),
    payload: bytes.subarray(RECORD_HEADER_BYTES),
  };
}

function readU32(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

/** How long the payload of a record of this sequence is. */
export function payloadLength(seq: Sequence, payloadSize: number): number {
  return seq === SEQUENCE.tombstone ? 0 : payloadSize;
}

/**
 * What a record's signature covers: the canonical bytes of a mutable item without salt (BEP 44), so
 * that any node can carry a small record into the Mainline DHT without holding a key.
 */
export function signedBytes(seq: Sequence, payload: Uint8Array): Uint8Array {
  return concatBytes(...signedParts(seq, payload));
}

/** What {@link signedBytes} is made of, for who goes through it once: the parts are borrowed. */
export function signedParts(seq: Sequence, payload: Uint8Array): [Uint8Array, Uint8Array] {
  return [signedPrefix(seq, payload.length), payload];
}

/** The same as {@link signedBytes}, borrowed: it lies where that of the last record was. */
function borrowedSignedBytes(seq: Sequence, payload: Uint8Array): Uint8Array {
  const prefix = signedPrefix(seq, payload.length);
  const length = prefix.length + payload.length;
  if (scratch.length !== length) scratch = new Uint8Array(length);
  scratch.set(prefix);
  scratch.set(payload, prefix.length);
  return scratch;
}

let scratch: Uint8Array = new Uint8Array(0);

/** A network has one size of payload: its two prefixes are made once. */
function signedPrefix(seq: Sequence, length: number): Uint8Array {
  if (prefixes[seq]?.length !== length) {
    prefixes[seq] = { length, bytes: utf8(`3:seqi${seq}e1:v${length}:`) };
  }
  return prefixes[seq].bytes;
}

const prefixes: { [seq in Sequence]?: { readonly length: number; readonly bytes: Uint8Array } } =
  {};

/**
 * True when the address is a usable key (canonical, on the curve, not of small order) and the
 * signature is its own. This is where the point arithmetic is: everything cheaper comes first.
 */
export function verifyRecord({ address, signature, seq, payload }: MapRecord): boolean {
  return crypto().ed25519Verify(address, borrowedSignedBytes(seq, payload), signature);
}

/** Verifies a record, which it borrows until it calls `done`: once, and not at once. */
export type RecordVerifier = (record: MapRecord, done: (isGenuine: boolean) => void) => void;

/** {@link verifyRecord} on other threads, while this one goes on; absent where it gains nothing. */
export function asideVerifier(): RecordVerifier | undefined {
  const verify = crypto().ed25519VerifyAside;
  return (
    verify &&
    (({ address, signature, seq, payload }, done) =>
      verify(address, signedBytes(seq, payload), signature, done))
  );
}
