import { CulvertError, type ErrorCode } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import { CELL_HEAD_BYTES, type OnionGeometry, requestBytes } from "../packet/geometry.ts";

/** A record of the Map as it goes through a circuit: that of the Map itself. */
export interface OnionRecord {
  readonly address: Uint8Array;
  readonly signature: Uint8Array;
  readonly seq: 1 | 2;
  readonly ttlSeconds: number;
  readonly payload: Uint8Array;
}

/** What an exit is asked to do. It says nothing of who asks. */
export type MapOperation =
  | { readonly kind: "put"; readonly record: OnionRecord }
  | { readonly kind: "get"; readonly address: Uint8Array; readonly waitMs: number };

/** What the Map has said to an exit. */
export type MapOutcome =
  /** The receipt is in the form that both ends of the network know; opaque here. */
  | { readonly kind: "stored"; readonly ttlSeconds: number; readonly receipt: Uint8Array }
  | { readonly kind: "found"; readonly record: Omit<OnionRecord, "address"> }
  | { readonly kind: "failed"; readonly code: ErrorCode };

const ADDRESS_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** Kind, time, address, signature, length. */
const OPERATION_HEAD_BYTES = 1 + 3 + ADDRESS_BYTES + SIGNATURE_BYTES + 2;

/** What an operation is, by its first byte: a put is its sequence. */
const GET = 0;

/** An outcome that is none of stored, found, and found as a tombstone. */
const FAILED = 3;

/** Seconds or milliseconds that fit three bytes: 194 days, or four hours and a half. */
const TIME_MAX = 2 ** 24 - 1;

/**
 * Room for what a put is confirmed with: three receipts of the Map, each from the deepest tree. A
 * busy keeper signs many records at once, and hands the same receipt out when it is asked again.
 */
export const RECEIPTS_BYTES_MAX = 1_852;

/** Kind, time, length. */
const STORED_HEAD_BYTES = 1 + 3 + 2;

/** What may go wrong with an operation, by the byte that stands for it. */
const CODES: readonly ErrorCode[] = [
  "CULVERT_NOT_FOUND",
  "CULVERT_CONFLICT",
  "CULVERT_REFUSED",
  "CULVERT_FULL",
  "CULVERT_BUSY",
  "CULVERT_WORK_REQUIRED",
  "CULVERT_TIMEOUT",
  "CULVERT_UNREACHABLE",
];

/** The largest Map cell that an operation has room for: its length has two bytes. */
export const OPERATION_PAYLOAD_BYTES_MAX = 65_535;

/**
 * How many cells a put of a Map cell of so many bytes needs: all operations have as many.
 *
 * @throws CulvertError `CULVERT_USAGE` for one that no operation has room for
 */
export function requestCellsFor(options: {
  readonly cellBytes: number;
  readonly mapCellBytes: number;
}): number {
  if (options.mapCellBytes > OPERATION_PAYLOAD_BYTES_MAX) {
    const message = `onions carry Map cells of at most ${OPERATION_PAYLOAD_BYTES_MAX} bytes`;
    throw new CulvertError("CULVERT_USAGE", message);
  }
  const putBytes = OPERATION_HEAD_BYTES + options.mapCellBytes;
  const bytes = Math.max(putBytes, STORED_HEAD_BYTES + RECEIPTS_BYTES_MAX);
  return Math.ceil(bytes / (options.cellBytes - CELL_HEAD_BYTES));
}

/** Bytes of a Map cell that operations of this geometry have room for. */
export function mapCellBytesMax(geometry: OnionGeometry): number {
  return requestBytes(geometry) - OPERATION_HEAD_BYTES;
}

/** Kind 1, time to live in s or wait in ms 3, address 32, signature 64, length 2, payload. */
export function encodeOperation(operation: MapOperation): Uint8Array {
  if (operation.kind === "get") {
    const writer = writeTime(new Writer(OPERATION_HEAD_BYTES).u8(GET), operation.waitMs);
    return writer.bytes(operation.address).finish();
  }
  const { address, signature, seq, ttlSeconds, payload } = operation.record;
  const writer = new Writer(OPERATION_HEAD_BYTES + payload.length).u8(seq);
  writeTime(writer, ttlSeconds).bytes(address).bytes(signature).u16(payload.length);
  return writer.bytes(payload).finish();
}

/**
 * Reads what comes from a stranger; the fields are views, what follows is padding.
 *
 * @throws CulvertError `CULVERT_PROTOCOL`
 */
export function readOperation(bytes: Uint8Array): MapOperation {
  const reader: Reader = new Reader(bytes);
  const kind = reader.u8("operation");
  const time = readTime(reader);
  const address = reader.bytes(ADDRESS_BYTES, "address");
  if (kind === GET) return { kind: "get", address, waitMs: time };
  if (kind !== 1 && kind !== 2) reader.refuse("operation", "is unknown");
  const signature = reader.bytes(SIGNATURE_BYTES, "signature");
  const payload = reader.bytes(reader.u16("length"), "payload");
  return { kind: "put", record: { address, signature, seq: kind, ttlSeconds: time, payload } };
}

/** Kind 1 (stored, or the sequence of what was found, or failed), then what belongs to it. */
export function encodeOutcome(outcome: MapOutcome): Uint8Array {
  if (outcome.kind === "stored") {
    const { ttlSeconds, receipt } = outcome;
    const writer = writeTime(new Writer().u8(0), ttlSeconds);
    return writer.u16(receipt.length).bytes(receipt).finish();
  }
  if (outcome.kind === "found") {
    const { signature, seq, ttlSeconds, payload } = outcome.record;
    const writer = writeTime(new Writer(OPERATION_HEAD_BYTES + payload.length).u8(seq), ttlSeconds);
    return writer.bytes(signature).u16(payload.length).bytes(payload).finish();
  }
  const code = CODES.indexOf(outcome.code);
  return Uint8Array.of(FAILED, code < 0 ? CODES.indexOf("CULVERT_BUSY") : code);
}

/**
 * Reads what an exit has said; the fields are views, what follows is padding.
 *
 * @throws CulvertError `CULVERT_PROTOCOL`
 */
export function readOutcome(bytes: Uint8Array): MapOutcome {
  const reader: Reader = new Reader(bytes);
  const kind = reader.u8("outcome");
  if (kind === 0) {
    const ttlSeconds = readTime(reader);
    const receipt = reader.bytes(reader.u16("receipt length"), "receipt");
    return { kind: "stored", ttlSeconds, receipt };
  }
  if (kind === 1 || kind === 2) {
    const ttlSeconds = readTime(reader);
    const signature = reader.bytes(SIGNATURE_BYTES, "signature");
    const payload = reader.bytes(reader.u16("length"), "payload");
    return { kind: "found", record: { signature, seq: kind, ttlSeconds, payload } };
  }
  const code = kind === FAILED ? CODES[reader.u8("code")] : undefined;
  if (code === undefined) reader.refuse("outcome", "is unknown");
  return { kind: "failed", code };
}

/** The error of a failed operation; the other side said so. */
export function operationError(code: ErrorCode): CulvertError {
  return new CulvertError(code, undefined, { remote: true });
}

function writeTime(writer: Writer, time: number): Writer {
  const fitting = Math.min(Math.floor(time), TIME_MAX);
  return writer.u8(fitting >> 16).u16(fitting & 0xffff);
}

function readTime(reader: Reader): number {
  return reader.u8("time") * 65_536 + reader.u16("time");
}
