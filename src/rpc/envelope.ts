import { CulvertError, concatBytes, utf8 } from "../base/index.ts";
import { type CborInput, type CborValue, decodeCbor, encodeCbor } from "../codec/index.ts";
import { crypto } from "../crypto/index.ts";

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
export const TYPE_LENGTH_MAX = 64;
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
const NUMBER_MAX = 2 ** 48 - 1;
const HARD_MS_MAX = 2 ** 32 - 1;

/** The bytes of a message, a fresh array. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  return encodeCbor([VERSION, KIND[envelope.kind], envelope.nonce, ...fieldsOf(envelope)]);
}

/**
 * Reads a message of a peer. The result owns its bytes.
 *
 * @throws CulvertError `CULVERT_PROTOCOL`, also when the message is not in its one form
 */
export function decodeEnvelope(bytes: Uint8Array, bodyBytesMax: number): Envelope {
  const maxBytes = bodyBytesMax + ENVELOPE_BYTES_MAX;
  const value = decodeCbor(bytes, { maxBytes, maxDepth: 2 });
  if (!Array.isArray(value)) throw broken("message", "is no array");
  const items = new Items(value);
  if (items.integer("version", 255) !== VERSION) throw broken("version", "is not 1");
  const kind = items.integer("kind", 255);
  const nonce = items.bytes("nonce", NONCE_BYTES);
  const envelope = readFields(kind, nonce, items);
  items.expectEnd();
  return envelope;
}

/** The name of a message for whoever answers it: SHA-256 over a label and its exact bytes. */
export function referenceOf(bytes: Uint8Array): Uint8Array {
  return crypto().sha256(concatBytes(REFERENCE_LABEL, bytes));
}

/** Whether `text` may name a type of request. */
export function isTypeName(text: string): boolean {
  return text.length <= TYPE_LENGTH_MAX && TYPE_PATTERN.test(text);
}

function fieldsOf(envelope: Envelope): readonly CborInput[] {
  switch (envelope.kind) {
    case "hello":
      return [];
    case "session":
      return [envelope.reference, envelope.session];
    case "request": {
      const { session, number, floor, hardMs, type, meta, body } = envelope;
      return [session, number, floor, hardMs, type, meta, body];
    }
    case "reply":
      return [envelope.reference, envelope.type, envelope.isFailure, envelope.body];
    case "lost":
      return [envelope.reference];
    case "settled":
      return [envelope.session, envelope.floor, [...envelope.numbers]];
  }
}

function readFields(kind: number, nonce: Uint8Array, items: Items): Envelope {
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
      const type = items.type();
      const isFailure = items.boolean("isFailure");
      return { kind: "reply", nonce, reference, type, isFailure, body: items.bytes("body") };
    }
    case KIND.lost:
      return { kind: "lost", nonce, reference: items.bytes("reference", REFERENCE_BYTES) };
    case KIND.settled: {
      const session = items.bytes("session", SESSION_BYTES);
      const floor = items.integer("floor", NUMBER_MAX);
      return { kind: "settled", nonce, session, floor, numbers: items.numbers() };
    }
    default:
      throw broken("kind", `${kind} is unknown`);
  }
}

function readRequest(nonce: Uint8Array, items: Items): RequestEnvelope {
  const session = items.bytes("session", SESSION_BYTES);
  const number = items.integer("number", NUMBER_MAX);
  const floor = items.integer("floor", NUMBER_MAX);
  if (number < 1 || floor > number) throw broken("number", "is below the floor");
  const hardMs = items.integer("hardMs", HARD_MS_MAX);
  const type = items.type();
  const meta = items.bytes("meta");
  if (meta.length > META_BYTES_MAX) throw broken("meta", "is too long");
  const body = items.bytes("body");
  return { kind: "request", nonce, session, number, floor, hardMs, type, meta, body };
}

/** The items of a message one after the other, each with its name and what it has to be. */
class Items {
  readonly #values: readonly CborValue[];
  #at = 0;

  constructor(values: readonly CborValue[]) {
    this.#values = values;
  }

  integer(field: string, max: number): number {
    const value = this.#next(field);
    if (!isNumber(value, max)) throw broken(field, "is no whole number in range");
    return value;
  }

  bytes(field: string, length?: number): Uint8Array {
    const value = this.#next(field);
    if (!(value instanceof Uint8Array)) throw broken(field, "is not bytes");
    if (length !== undefined && value.length !== length) throw broken(field, "has another length");
    return value;
  }

  boolean(field: string): boolean {
    const value = this.#next(field);
    if (typeof value !== "boolean") throw broken(field, "is neither true nor false");
    return value;
  }

  type(): string {
    const value = this.#next("type");
    if (typeof value !== "string" || !isTypeName(value)) throw broken("type", "is no name");
    return value;
  }

  numbers(): number[] {
    const value = this.#next("numbers");
    if (!Array.isArray(value) || value.length > SETTLED_NUMBERS_MAX) {
      throw broken("numbers", "is no list, or too long");
    }
    return value.map((item) => {
      if (!isNumber(item, NUMBER_MAX)) throw broken("numbers", "has an item that is no number");
      return item;
    });
  }

  expectEnd(): void {
    if (this.#at < this.#values.length) throw broken("message", "has too many items");
  }

  #next(field: string): CborValue {
    const value = this.#values[this.#at];
    if (value === undefined) throw broken(field, "is missing");
    this.#at += 1;
    return value;
  }
}

function isNumber(value: CborValue, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max;
}

function broken(field: string, why: string): CulvertError {
  return new CulvertError("CULVERT_PROTOCOL", `${field} ${why}`, { detail: { field } });
}
