import { concatBytes, utf8 } from "../../base/index.ts";
import { crypto } from "../../crypto/index.ts";
import { broken, ItemReader, ItemWriter } from "./cbor-items.ts";

/**
 * A message between two nodes. Each one is a CBOR array of fixed length that begins with the
 * version, its kind and a nonce of its own.
 */
export type Envelope =
  /** Asks for a session: a request outside of one is not looked at. */
  | { readonly kind: "hello"; readonly nonce: Uint8Array }
  /** The answer: a challenge that requests have to carry from now on. */
  | {
      readonly kind: "session";
      readonly nonce: Uint8Array;
      readonly reference: Uint8Array;
      readonly session: Uint8Array;
    }
  | RequestEnvelope
  | ReplyEnvelope
  /** The answer to a request of a session that is not known (any more). */
  | { readonly kind: "lost"; readonly nonce: Uint8Array; readonly reference: Uint8Array }
  | SettledEnvelope;

/** A request, in one session. */
export interface RequestEnvelope {
  readonly kind: "request";
  readonly nonce: Uint8Array;
  readonly session: Uint8Array;
  /** Counts the requests of the session, from 1. */
  readonly number: number;
  /** All numbers below are settled: the caller wants nothing of them any more. */
  readonly floor: number;
  /** Life of the request, counted from its arrival. */
  readonly hardMs: number;
  readonly type: string;
  /** What middleware adds; empty, or a CBOR map of texts. */
  readonly meta: Uint8Array;
  readonly body: Uint8Array;
}

/** A reply to the request with this reference. */
export interface ReplyEnvelope {
  readonly kind: "reply";
  readonly nonce: Uint8Array;
  readonly reference: Uint8Array;
  readonly type: string;
  readonly isFailure: boolean;
  /** The handler's answer, or an encoded failure. */
  readonly body: Uint8Array;
}

/** Says which numbers a caller is done with: an acknowledgement, and a cancel. */
export interface SettledEnvelope {
  readonly kind: "settled";
  readonly nonce: Uint8Array;
  readonly session: Uint8Array;
  readonly floor: number;
  /** Settled numbers from the floor on. */
  readonly numbers: readonly number[];
}

/** Bytes of the nonce in every message. */
export const NONCE_BYTES = 32;
/** Bytes of the hash that a reply names its request by. */
export const REFERENCE_BYTES = 32;
/** Bytes of a session's challenge. */
export const SESSION_BYTES = 16;
/** Longest name of a request's type, in UTF-16 units. */
const TYPE_LENGTH_MAX = 64;
/** Longest encoded meta. */
export const META_BYTES_MAX = 1_024;
/** Numbers that one `settled` may name. */
export const SETTLED_NUMBERS_MAX = 64;
/** What a message takes beyond its body, at most. */
export const ENVELOPE_BYTES_MAX = 2_048;

const VERSION = 1;
const KIND = { hello: 1, session: 2, request: 3, reply: 4, lost: 5, settled: 6 } as const;
/** A name of a type: what may stand in a log, a metric and a page. */
const TYPE_PATTERN = /^[a-z][a-zA-Z0-9]*(?:[.-][a-zA-Z0-9]+)*$/;
const REFERENCE_LABEL = utf8("culvert/v1/request\0");
/** The label and, behind it, the message that is hashed: most of them fit. */
const hashed = new Uint8Array(4_096);
hashed.set(REFERENCE_LABEL);
const NUMBER_MAX = 2 ** 48 - 1;
const HARD_MS_MAX = 2 ** 32 - 1;

/** How many items the array of each kind has. */
const ITEMS = { hello: 3, session: 5, request: 10, reply: 7, lost: 4, settled: 6 } as const;
/** What the fields of a message take beside meta, body and settled numbers. */
const FIXED_BYTES_MAX = 256;
/** A number with its head. */
const NUMBER_BYTES_MAX = 9;

/** The bytes of a message, handed over, not to be kept for long. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const { kind, nonce } = envelope;
  const writer = new ItemWriter(ITEMS[kind], FIXED_BYTES_MAX + variableBytes(envelope));
  writer.integer(VERSION).integer(KIND[kind]).bytes(nonce);
  writeFields(writer, envelope);
  return writer.finish();
}

/**
 * Reads a message of a peer. Meta and body are copies, all else is a view of `bytes`.
 *
 * @throws CulvertError `CULVERT_PROTOCOL`, also when the message is not in its one form
 */
export function decodeEnvelope(bytes: Uint8Array, bodyBytesMax: number): Envelope {
  if (bytes.length > bodyBytesMax + ENVELOPE_BYTES_MAX) throw broken("message", "is too long");
  const items = new ItemReader(bytes);
  if (items.integer("version", 255) !== VERSION) throw broken("version", "is not 1");
  const kind = items.integer("kind", 255);
  const nonce = items.bytes("nonce", NONCE_BYTES);
  const envelope = readFields(kind, nonce, items);
  items.expectEnd();
  return envelope;
}

/** The name of a message for whoever answers it: SHA-256 over a label and its exact bytes. */
export function referenceOf(bytes: Uint8Array): Uint8Array {
  const length = REFERENCE_LABEL.length + bytes.length;
  if (length > hashed.length) return crypto().sha256(concatBytes(REFERENCE_LABEL, bytes));
  hashed.set(bytes, REFERENCE_LABEL.length);
  return crypto().sha256(hashed.subarray(0, length));
}

/** Whether `text` may name a type of request. */
export function isTypeName(text: string): boolean {
  return typeof text === "string" && text.length <= TYPE_LENGTH_MAX && TYPE_PATTERN.test(text);
}

function variableBytes(envelope: Envelope): number {
  if (envelope.kind === "request") return envelope.meta.length + envelope.body.length;
  if (envelope.kind === "reply") return envelope.body.length;
  return envelope.kind === "settled" ? NUMBER_BYTES_MAX * envelope.numbers.length : 0;
}

function writeFields(writer: ItemWriter, envelope: Envelope): void {
  switch (envelope.kind) {
    case "hello":
      break;
    case "session":
      writer.bytes(envelope.reference).bytes(envelope.session);
      break;
    case "request":
      writer.bytes(envelope.session).integer(envelope.number).integer(envelope.floor);
      writer.integer(envelope.hardMs).name(envelope.type).bytes(envelope.meta).bytes(envelope.body);
      break;
    case "reply":
      writer.bytes(envelope.reference).name(envelope.type);
      writer.boolean(envelope.isFailure).bytes(envelope.body);
      break;
    case "lost":
      writer.bytes(envelope.reference);
      break;
    default:
      writer.bytes(envelope.session).integer(envelope.floor).integers(envelope.numbers);
  }
}

function readFields(kind: number, nonce: Uint8Array, items: ItemReader): Envelope {
  switch (kind) {
    case KIND.hello:
      return { kind: "hello", nonce };
    case KIND.session: {
      const reference = items.bytes("reference", REFERENCE_BYTES);
      return { kind: "session", nonce, reference, session: items.bytes("session", SESSION_BYTES) };
    }
    case KIND.request:
      return readRequest(nonce, items);
    case KIND.reply: {
      const reference = items.bytes("reference", REFERENCE_BYTES);
      const type = readType(items);
      const isFailure = items.boolean("isFailure");
      const body = items.copy("body");
      return { kind: "reply", nonce, reference, type, isFailure, body };
    }
    case KIND.lost:
      return { kind: "lost", nonce, reference: items.bytes("reference", REFERENCE_BYTES) };
    case KIND.settled: {
      const session = items.bytes("session", SESSION_BYTES);
      const floor = items.integer("floor", NUMBER_MAX);
      const limits = { count: SETTLED_NUMBERS_MAX, max: NUMBER_MAX };
      return { kind: "settled", nonce, session, floor, numbers: items.integers("numbers", limits) };
    }
    default:
      throw broken("kind", `${kind} is unknown`);
  }
}

function readRequest(nonce: Uint8Array, items: ItemReader): RequestEnvelope {
  const session = items.bytes("session", SESSION_BYTES);
  const number = items.integer("number", NUMBER_MAX);
  const floor = items.integer("floor", NUMBER_MAX);
  if (number < 1 || floor > number) throw broken("number", "is below the floor");
  const hardMs = items.integer("hardMs", HARD_MS_MAX);
  const type = readType(items);
  const meta = items.copy("meta");
  if (meta.length > META_BYTES_MAX) throw broken("meta", "is too long");
  const body = items.copy("body");
  return { kind: "request", nonce, session, number, floor, hardMs, type, meta, body };
}

function readType(items: ItemReader): string {
  const type = items.name("type", TYPE_LENGTH_MAX);
  if (!isTypeName(type)) throw broken("type", "is no name");
  return type;
}
