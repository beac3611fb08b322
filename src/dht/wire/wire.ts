import {
  requireArray,
  requireBytes,
  requireObject,
  requireOneOf,
  requireWhole,
  unreachable,
} from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import { Contact, readContact, requireContact, writeContact } from "./contact.ts";
import { KEY_BYTES, keyOf, textBytes } from "./key.ts";
import {
  type DhtRequest,
  type DhtResponse,
  type DhtValue,
  STORE_REFUSALS,
  VALUE_KINDS,
  type ValueKind,
} from "./message.ts";

/** The version of the messages that is spoken here. */
const DHT_WIRE_VERSION = 1;

/** The largest value of any kind: what fits a VoidPhone message. */
export const VALUE_BYTES_MAX: number = 65_535 - 40;

/** The longest life that a message can ask for. */
export const TTL_SECONDS_MAX: number = 2 ** 32 - 1;

/** Contacts in one answer. */
const CONTACTS_MAX = 32;

/** Bytes of a token for stores. */
export const TOKEN_BYTES = 16;

/** No message is longer. */
export const DHT_MESSAGE_BYTES_MAX: number = VALUE_BYTES_MAX + 160;

const TYPE = {
  ping: 0x01,
  findNode: 0x02,
  findValue: 0x03,
  store: 0x04,
  pong: 0x81,
  nodes: 0x82,
  value: 0x83,
  stored: 0x84,
  refused: 0x85,
} as const;

/** A request as it was read, and what the asker says of itself. */
export interface ReadRequest {
  readonly request: DhtRequest;
  /** Where the asker can be asked; absent for one that does not serve. */
  readonly sender?: Contact;
}

/**
 * Encodes a request, to be sent soon; `sender` is where this node can be asked, if it serves.
 *
 * @throws TypeError and RangeError for what is no request
 */
export function encodeDhtRequest(request: DhtRequest, sender?: Contact): Uint8Array {
  requireRequest(request);
  if (sender !== undefined) requireContact("sender", sender);
  const writer = Writer.brief(request.kind === "store" ? request.value.bytes.length + 160 : 128);
  writer
    .u8(DHT_WIRE_VERSION)
    .u8(requestType(request))
    .u8(sender === undefined ? 0 : 1);
  if (sender !== undefined) writer.bytes(textBytes(sender.reach));
  switch (request.kind) {
    case "ping":
      break;
    case "find-node":
      writeKey(writer, request.target);
      break;
    case "find-value":
      writeKey(writer, request.key);
      writeKey(writer, request.near);
      writer.u8(request.valueKind === undefined ? 0 : kindNumber(request.valueKind));
      break;
    case "store":
      writeKey(writer, request.key);
      writer.u8(request.isCopy ? 1 : 0);
      writeToken(writer, request.token);
      writeValue(writer, request.value);
      break;
    default:
      unreachable(request);
  }
  return writer.finish();
}

/**
 * Reads a request of the node `id`, which the carrier has proven; without one, what the asker says
 * of itself is read and dropped. The bytes stay borrowed.
 *
 * @throws CulvertError `CULVERT_PROTOCOL`
 */
export function decodeDhtRequest(bytes: Uint8Array, id?: Uint8Array): ReadRequest {
  requireBytes("a message", bytes);
  const reader = new Reader(bytes);
  if (reader.u8("version") !== DHT_WIRE_VERSION) reader.refuse("version", "is not known");
  const type = reader.u8("type");
  const flags = reader.u8("flags");
  if (flags > 1) reader.refuse("flags", "has an unknown bit");
  const sender = flags === 1 ? Contact.read(id === undefined ? "" : keyOf(id), reader) : undefined;
  const request = readRequest(reader, type);
  reader.expectEnd();
  return sender === undefined || id === undefined ? { request } : { request, sender };
}

/**
 * Encodes an answer, to be sent soon.
 *
 * @throws TypeError and RangeError for what is no answer
 */
export function encodeDhtResponse(response: DhtResponse): Uint8Array {
  requireResponse(response);
  const writer = Writer.brief(answerBytes(response));
  writer.u8(DHT_WIRE_VERSION);
  switch (response.kind) {
    case "pong":
      writer.u8(TYPE.pong);
      break;
    case "nodes": {
      // Peers of the VoidPhone dialects can claim any id: they are not passed on.
      const contacts = response.contacts.filter(({ isProvable }) => isProvable);
      writer.u8(TYPE.nodes);
      writeToken(writer, response.token);
      writer.u8(Math.min(contacts.length, CONTACTS_MAX));
      for (const contact of contacts.slice(0, CONTACTS_MAX)) writeContact(writer, contact);
      break;
    }
    case "value":
      writer.u8(TYPE.value);
      writeValue(writer, response.value);
      break;
    case "stored":
      writer.u8(TYPE.stored).u32(response.ttlSeconds);
      break;
    case "refused":
      requireOneOf("reason", response.reason, STORE_REFUSALS);
      writer.u8(TYPE.refused).u8(STORE_REFUSALS.indexOf(response.reason) + 1);
      break;
    default:
      unreachable(response);
  }
  return writer.finish();
}

/** About how long an answer will be. */
function answerBytes(response: DhtResponse): number {
  if (response.kind === "value") return response.value.bytes.length + 16;
  return response.kind === "nodes" ? 1_024 : 16;
}

/**
 * Reads an answer. The bytes of a value stay borrowed.
 *
 * @throws CulvertError `CULVERT_PROTOCOL`
 */
export function decodeDhtResponse(bytes: Uint8Array): DhtResponse {
  requireBytes("a message", bytes);
  const reader = new Reader(bytes);
  if (reader.u8("version") !== DHT_WIRE_VERSION) reader.refuse("version", "is not known");
  const response = readResponse(reader, reader.u8("type"));
  reader.expectEnd();
  return response;
}

/** For what a program gives; what peers send was read before. */
const REQUEST_KINDS = ["ping", "find-node", "find-value", "store"] as const;
const RESPONSE_KINDS = ["pong", "nodes", "value", "stored", "refused"] as const;

/**
 * Refuses what is no request: further in it would be told of as a broken invariant.
 *
 * @throws TypeError and RangeError
 */
export function requireRequest(request: DhtRequest): void {
  requireObject("a request", request);
  requireOneOf("kind", request.kind, REQUEST_KINDS);
  if (request.kind === "store") requireValue(request.value);
}

/** @throws TypeError and RangeError for what is no value */
export function requireValue(value: DhtValue): void {
  requireObject("a value", value);
  requireOneOf("kind", value.kind, VALUE_KINDS);
  requireBytes("bytes", value.bytes);
  requireWhole("ttlSeconds", value.ttlSeconds, 0, TTL_SECONDS_MAX);
}

function requireResponse(response: DhtResponse): void {
  requireObject("an answer", response);
  requireOneOf("kind", response.kind, RESPONSE_KINDS);
  if (response.kind === "value") requireValue(response.value);
  if (response.kind === "nodes") requireArray("contacts", response.contacts);
}

function requestType({ kind }: DhtRequest): number {
  if (kind === "ping") return TYPE.ping;
  if (kind === "find-node") return TYPE.findNode;
  return kind === "find-value" ? TYPE.findValue : TYPE.store;
}

function readRequest(reader: Reader, type: number): DhtRequest {
  switch (type) {
    case TYPE.ping:
      return { kind: "ping" };
    case TYPE.findNode:
      return { kind: "find-node", target: reader.bytes(KEY_BYTES, "target") };
    case TYPE.findValue: {
      const key = reader.bytes(KEY_BYTES, "key");
      const near = reader.bytes(KEY_BYTES, "near");
      const number = reader.u8("value kind");
      if (number === 0) return { kind: "find-value", key, near };
      return { kind: "find-value", key, near, valueKind: kindOf(reader, number) };
    }
    case TYPE.store: {
      const key = reader.bytes(KEY_BYTES, "key");
      const copy = reader.u8("copy");
      if (copy > 1) reader.refuse("copy", "is neither 0 nor 1");
      const token = readToken(reader);
      const value = readValue(reader);
      return { kind: "store", key, value, isCopy: copy === 1, ...(token && { token }) };
    }
    default:
      return reader.refuse("type", "is not a request");
  }
}

function readResponse(reader: Reader, type: number): DhtResponse {
  switch (type) {
    case TYPE.pong:
      return { kind: "pong" };
    case TYPE.nodes: {
      const token = readToken(reader);
      const count = reader.u8("contacts");
      if (count > CONTACTS_MAX) reader.refuse("contacts", `${count} are too many`);
      const contacts = Array.from({ length: count }, () => readContact(reader));
      return { kind: "nodes", contacts, ...(token && { token }) };
    }
    case TYPE.value:
      return { kind: "value", value: readValue(reader) };
    case TYPE.stored:
      return { kind: "stored", ttlSeconds: reader.u32("ttl") };
    case TYPE.refused: {
      const reason = STORE_REFUSALS[reader.u8("reason") - 1];
      return reason === undefined
        ? reader.refuse("reason", "is not known")
        : { kind: "refused", reason };
    }
    default:
      return reader.refuse("type", "is not an answer");
  }
}

function writeKey(writer: Writer, key: Uint8Array): void {
  requireBytes("a key", key, KEY_BYTES);
  writer.bytes(key);
}

function writeToken(writer: Writer, token: Uint8Array | undefined): void {
  writer.u8(token === undefined ? 0 : 1);
  if (token === undefined) return;
  requireBytes("a token", token, TOKEN_BYTES);
  writer.bytes(token);
}

function readToken(reader: Reader): Uint8Array | undefined {
  const count = reader.u8("tokens");
  if (count > 1) reader.refuse("tokens", "more than one");
  return count === 0 ? undefined : reader.bytes(TOKEN_BYTES, "token").slice();
}

function writeValue(writer: Writer, value: DhtValue): void {
  if (value.bytes.length > VALUE_BYTES_MAX) throw new RangeError("a value fits a message");
  writer.u8(kindNumber(value.kind)).u32(value.ttlSeconds).bytes(value.bytes);
}

/** The value is the last field: its length is what is left. */
function readValue(reader: Reader): DhtValue {
  const kind = kindOf(reader, reader.u8("value kind"));
  const ttlSeconds = reader.u32("ttl");
  if (reader.remaining > VALUE_BYTES_MAX) reader.refuse("value", "is too long");
  return { kind, ttlSeconds, bytes: reader.rest() };
}

/** Of a kind that there is not, nothing: 0 stands for any kind. */
function kindNumber(kind: ValueKind): number {
  requireOneOf("valueKind", kind, VALUE_KINDS);
  return VALUE_KINDS.indexOf(kind) + 1;
}

function kindOf(reader: Reader, number: number): ValueKind {
  return VALUE_KINDS[number - 1] ?? reader.refuse("value kind", "is not known");
}
