import { assert, unreachable } from "../../base/index.ts";
import { Reader, sealFrame, Writer } from "../../codec/index.ts";
import { RECEIPT_BYTES_MAX, readReceipt, writeReceipt } from "../record/receipt.ts";
import {
  ADDRESS_BYTES,
  copyOfBytes,
  encodeRecordBehind,
  isFault,
  PAYLOAD_BYTES_MAX,
  parseRecord,
  RECORD_HEADER_BYTES,
  type RecordFault,
} from "../record/record.ts";
import { STAMP_BYTES } from "../record/work-stamp.ts";
import type { MapAnswer, RequestId } from "../service/protocol.ts";
import type { MapGreeting } from "../service/requester.ts";

/** "CLVM": the first bytes of both sides, so that a stranger on this port is found out at once. */
const MAGIC = 0x434c564d;

/** The version of the protocol that is spoken here. */
export const WIRE_VERSION = 1;

/** What a client sends. */
export type ClientMessage =
  | { readonly kind: "hello"; readonly versionMin: number; readonly versionMax: number }
  | {
      readonly kind: "put";
      readonly request: RequestId;
      readonly stamp: Uint8Array;
      /** Encoded, and not looked at: a bad record is refused, not a breach of the protocol. */
      readonly record: Uint8Array;
    }
  | {
      readonly kind: "get";
      readonly request: RequestId;
      readonly waitMs: number;
      readonly address: Uint8Array;
    }
  | { readonly kind: "cancel"; readonly request: RequestId };

/** Why a node ends a connection that it did not lose. */
export type GoodbyeReason = "protocol" | "version" | "busy" | "closing";

/** What a node sends. */
export type NodeMessage =
  | { readonly kind: "hello"; readonly version: number; readonly greeting: MapGreeting }
  | { readonly kind: "answer"; readonly request: RequestId; readonly answer: MapAnswer }
  | { readonly kind: "goodbye"; readonly reason: GoodbyeReason };

const TYPE = {
  clientHello: 0x01,
  put: 0x02,
  get: 0x03,
  cancel: 0x04,
  nodeHello: 0x81,
  stored: 0x82,
  found: 0x83,
  failed: 0x84,
  goodbye: 0x85,
} as const;

/** Length, type and request number in front of a record that was found. */
const FOUND_ROOM = 9;

/** By their numbers on the wire, from 1 on. */
const FAILURES = ["not-found", "conflict", "refused", "full", "busy", "work-required"] as const;
const FAULTS: readonly RecordFault[] = ["size", "sequence", "signature"];
const REASONS: readonly GoodbyeReason[] = ["protocol", "version", "busy", "closing"];

/** The longest frame that a client sends where payloads have this size. */
export function clientFrameBytesMax(payloadSize: number): number {
  return 1 + 4 + STAMP_BYTES + RECORD_HEADER_BYTES + payloadSize;
}

/** The longest frame that a node sends where payloads have this size. */
export function nodeFrameBytesMax(payloadSize: number): number {
  return 1 + 4 + Math.max(RECORD_HEADER_BYTES + payloadSize, 4 + RECEIPT_BYTES_MAX);
}

/** The longest frame before the payload size is known. */
export const HELLO_FRAME_BYTES_MAX = 128;

/** The message as a frame, length included. */
export function encodeClientMessage(message: ClientMessage): Uint8Array {
  switch (message.kind) {
    case "hello": {
      const writer = frame(TYPE.clientHello, 6).u32(MAGIC);
      return sealFrame(writer.u8(message.versionMin).u8(message.versionMax).finish());
    }
    case "put": {
      const { request, stamp, record } = message;
      const writer = frame(TYPE.put, 4 + STAMP_BYTES + record.length);
      return sealFrame(writer.u32(request).bytes(stamp).bytes(record).finish());
    }
    case "get": {
      const writer = frame(TYPE.get, 40).u32(message.request).u32(message.waitMs);
      return sealFrame(writer.bytes(message.address).finish());
    }
    case "cancel":
      return sealFrame(frame(TYPE.cancel, 4).u32(message.request).finish());
    default:
      return unreachable(message);
  }
}

/**
 * Reads a frame of a client. What it returns owns its bytes.
 *
 * @throws CulvertError `CULVERT_PROTOCOL`
 */
export function readClientMessage(bytes: Uint8Array): ClientMessage {
  const reader = new Reader(bytes);
  const type = reader.u8("type");
  switch (type) {
    case TYPE.clientHello: {
      expectMagic(reader);
      const versionMin = reader.u8("lowest version");
      const versionMax = reader.u8("highest version");
      reader.expectEnd();
      return { kind: "hello", versionMin, versionMax };
    }
    case TYPE.put: {
      const request = reader.u32("request");
      const stamp = reader.bytes(STAMP_BYTES, "stamp").slice();
      return { kind: "put", request, stamp, record: copyOfBytes(reader.rest()) };
    }
    case TYPE.get: {
      const request = reader.u32("request");
      const waitMs = reader.u32("wait");
      const address = reader.bytes(ADDRESS_BYTES, "address").slice();
      reader.expectEnd();
      return { kind: "get", request, waitMs, address };
    }
    case TYPE.cancel: {
      const request = reader.u32("request");
      reader.expectEnd();
      return { kind: "cancel", request };
    }
    default:
      return reader.refuse("type", `${type} is unknown`);
  }
}

/** The message as a frame, length included. */
export function encodeNodeMessage(message: NodeMessage): Uint8Array {
  switch (message.kind) {
    case "hello": {
      const { payloadSize, nodeKey, workBits, ttlSecondsMax, waitMsMax } = message.greeting;
      const writer = frame(TYPE.nodeHello, 50).u32(MAGIC).u8(message.version).u32(payloadSize);
      writer.u8(workBits).u32(ttlSecondsMax).u32(waitMsMax).bytes(nodeKey);
      return sealFrame(writer.finish());
    }
    case "answer":
      return sealFrame(writeAnswer(message.request, message.answer));
    case "goodbye": {
      const reason = REASONS.indexOf(message.reason) + 1;
      return sealFrame(frame(TYPE.goodbye, 1).u8(reason).finish());
    }
    default:
      return unreachable(message);
  }
}

/**
 * Reads a frame of a node. What it returns owns its bytes.
 *
 * @throws CulvertError `CULVERT_PROTOCOL`
 */
export function readNodeMessage(bytes: Uint8Array, payloadSize: number): NodeMessage {
  const reader = new Reader(bytes);
  const type = reader.u8("type");
  switch (type) {
    case TYPE.nodeHello:
      return readNodeHello(reader);
    case TYPE.stored: {
      const request = reader.u32("request");
      const ttlSeconds = reader.u32("time to live");
      const receipt = readReceipt(reader);
      reader.expectEnd();
      return { kind: "answer", request, answer: { kind: "stored", ttlSeconds, receipt } };
    }
    case TYPE.found: {
      const request = reader.u32("request");
      const record = parseRecord(copyOfBytes(reader.rest()), payloadSize);
      if (isFault(record)) return reader.refuse("record", `is refused: ${record}`);
      const answer = { kind: "found", record, ttlSeconds: record.ttlSeconds } as const;
      return { kind: "answer", request, answer };
    }
    case TYPE.failed:
      return readFailure(reader);
    case TYPE.goodbye: {
      const reason = REASONS[reader.u8("reason") - 1] ?? "closing";
      reader.expectEnd();
      return { kind: "goodbye", reason };
    }
    default:
      return reader.refuse("type", `${type} is unknown`);
  }
}

function frame(type: number, bodyBytes: number): Writer {
  return new Writer(4 + 1 + bodyBytes).u32(0).u8(type);
}

function expectMagic(reader: Reader): void {
  if (reader.u32("magic") !== MAGIC) reader.refuse("magic", "is not that of a Map");
}

function readNodeHello(reader: Reader): NodeMessage {
  expectMagic(reader);
  const version = reader.u8("version");
  const payloadSize = reader.u32("payload size");
  if (payloadSize < 1 || payloadSize > PAYLOAD_BYTES_MAX) {
    reader.refuse("payload size", `${payloadSize} is out of range`);
  }
  const workBits = reader.u8("work");
  const ttlSecondsMax = reader.u32("longest time to live");
  const waitMsMax = reader.u32("longest wait");
  const nodeKey = reader.bytes(32, "node key").slice();
  reader.expectEnd();
  const greeting = { payloadSize, nodeKey, workBits, ttlSecondsMax, waitMsMax };
  return { kind: "hello", version, greeting };
}

function writeAnswer(request: RequestId, answer: MapAnswer): Uint8Array {
  switch (answer.kind) {
    case "stored": {
      const { receipt, ttlSeconds } = answer;
      assert(receipt !== undefined, "on the wire every put has its receipt");
      const writer = frame(TYPE.stored, 8 + 73 + 32 * receipt.siblings.length);
      writeReceipt(writer.u32(request).u32(ttlSeconds), receipt);
      return writer.finish();
    }
    case "found": {
      const { ttlSeconds } = answer;
      const bytes = encodeRecordBehind(FOUND_ROOM, { ...answer.record, ttlSeconds });
      Writer.into(bytes).u32(0).u8(TYPE.found).u32(request);
      return bytes;
    }
    default: {
      const code = FAILURES.indexOf(answer.kind) + 1;
      return frame(TYPE.failed, 6).u32(request).u8(code).u8(failureDetail(answer)).finish();
    }
  }
}

/** One byte beside the code: the fault of a refusal, or the bits of work that are asked for. */
function failureDetail(answer: Exclude<MapAnswer, { kind: "stored" | "found" }>): number {
  if (answer.kind === "refused") return FAULTS.indexOf(answer.fault) + 1;
  return answer.kind === "work-required" ? answer.bits : 0;
}

function readFailure(reader: Reader): NodeMessage {
  const request = reader.u32("request");
  const kind = FAILURES[reader.u8("code") - 1];
  const detail = reader.u8("detail");
  reader.expectEnd();
  if (kind === undefined) return reader.refuse("code", "is unknown");
  return { kind: "answer", request, answer: failure(kind, detail, reader) };
}

function failure(kind: (typeof FAILURES)[number], detail: number, reader: Reader): MapAnswer {
  if (kind === "work-required") return { kind, bits: detail };
  if (kind !== "refused") return { kind };
  const fault = FAULTS[detail - 1];
  if (fault === undefined) return reader.refuse("detail", "is no reason to refuse");
  return { kind, fault };
}
