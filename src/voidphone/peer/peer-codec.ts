import { requireArray, requireObject, requireWhole, unreachable } from "../../base/index.ts";
import type { Reader, Writer } from "../../codec/index.ts";
import { parseIp } from "../../identity/index.ts";
import { hostOf, wideIp } from "../ip-field.ts";
import {
  encodeMessage,
  KEY_BYTES,
  openMessage,
  readRest,
  requireFilled,
  requireKey,
  requireKind,
  MESSAGE_TYPES as T,
} from "../message.ts";
import {
  CONTACTS_MAX,
  type PeerError,
  type PeerFault,
  type PeerHeader,
  type PeerReply,
  type PeerRequest,
  type PeerSender,
  type VoidphoneContact,
} from "./peer-messages.ts";

/** Where the two dialects differ in bytes. */
export interface PeerLayout {
  /** `node id 32 | port u16` before the RPC id. */
  readonly hasSender: boolean;
  /** `replication u8 | reserved u8` after the time to live of a store. */
  readonly hasReplication: boolean;
  /** There is a 671. */
  readonly hasStoreReply: boolean;
  /** Bytes of an address in a list of contacts: IPv4, or IPv6 with IPv4 mapped into it. */
  readonly ipBytes: 4 | 16;
  /** The number of each fault; a number that is there twice is read as the first. */
  readonly faults: readonly (readonly [PeerFault, number])[];
}

const REQUEST_KINDS = ["ping", "store", "find-node", "find-value"];
const REPLY_KINDS = ["error", "pong", "nodes", "value"];

export function encodePeerRequest(layout: PeerLayout, request: PeerRequest): Uint8Array {
  requireKind("a request", request, REQUEST_KINDS);
  const encode = encoder(layout, request);
  switch (request.kind) {
    case "ping":
      return encode(T.ping, () => {});
    case "store":
      requireKey(request.key);
      requireFilled("a value", request.value);
      requireWhole("a time to live", request.ttlSeconds, 0, 65_535);
      requireWhole("a replication", request.replication ?? 0, 0, 255);
      return encode(T.store, (writer) => {
        writer.u16(request.ttlSeconds);
        if (layout.hasReplication) writer.u8(request.replication ?? 0).u8(0);
        writer.bytes(request.key).bytes(request.value);
      });
    case "find-node":
      requireKey(request.target);
      return encode(T.findNode, (writer) => writer.bytes(request.target));
    case "find-value":
      requireKey(request.key);
      return encode(T.findValue, (writer) => writer.bytes(request.key));
    default:
      return unreachable(request);
  }
}

export function readPeerRequest(layout: PeerLayout, message: Uint8Array): PeerRequest {
  const { type, body } = openMessage(message);
  if (type < T.ping || type > T.findValue) body.refuse("type", `${type} is no request of a peer`);
  const header = readHeader(layout, body);
  const request = readRequestBody(layout, { type, header }, body);
  body.expectEnd();
  return request;
}

export function encodePeerReply(layout: PeerLayout, reply: PeerReply): Uint8Array {
  requireKind("an answer", reply, layout.hasStoreReply ? [...REPLY_KINDS, "stored"] : REPLY_KINDS);
  if (reply.kind === "error") return encodeError(layout, reply);
  const encode = encoder(layout, reply);
  switch (reply.kind) {
    case "pong":
      return encode(T.pingReply, () => {});
    case "stored":
      return encode(T.storeReply, (writer) => writeValue(reply, writer));
    case "nodes":
      requireArray("contacts", reply.contacts);
      requireWhole("the number of contacts", reply.contacts.length, 0, CONTACTS_MAX);
      return encode(T.findNodeReply, (writer) => {
        for (const contact of reply.contacts) writeContact(layout, contact, writer);
      });
    case "value":
      return encode(T.findValueReply, (writer) => writeValue(reply, writer));
    default:
      return unreachable(reply);
  }
}

export function readPeerReply(layout: PeerLayout, message: Uint8Array): PeerReply {
  const { type, body } = openMessage(message);
  if (type === T.peerError) return readError(layout, body);
  const isReply = type >= T.pingReply && type <= T.findValueReply;
  if (!isReply || (type === T.storeReply && !layout.hasStoreReply)) {
    body.refuse("type", `${type} is no answer of a peer`);
  }
  const header = readHeader(layout, body);
  if (type === T.findNodeReply) {
    return { kind: "nodes", ...header, contacts: readContacts(layout, body) };
  }
  if (type === T.pingReply) {
    body.expectEnd();
    return { kind: "pong", ...header };
  }
  const kind = type === T.storeReply ? "stored" : "value";
  const key = body.bytes(KEY_BYTES, "key");
  return { kind, ...header, key, value: readRest(body, "value") };
}

/** The 4 or 16 bytes of a contact's address, or `undefined` when the layout has no room for it. */
export function contactIp(layout: PeerLayout, host: string): Uint8Array | undefined {
  if (layout.ipBytes === 16) return wideIp(host);
  const ip = parseIp(host);
  return ip?.length === 4 ? ip : undefined;
}

function readRequestBody(
  layout: PeerLayout,
  { type, header }: { readonly type: number; readonly header: PeerHeader },
  body: Reader,
): PeerRequest {
  switch (type) {
    case T.ping:
      return { kind: "ping", ...header };
    case T.findNode:
      return { kind: "find-node", ...header, target: body.bytes(KEY_BYTES, "target") };
    case T.findValue:
      return { kind: "find-value", ...header, key: body.bytes(KEY_BYTES, "key") };
    default: {
      const ttlSeconds = body.u16("ttl");
      const replication = layout.hasReplication ? { replication: body.u8("replication") } : {};
      if (layout.hasReplication) body.u8("reserved");
      const key = body.bytes(KEY_BYTES, "key");
      return {
        kind: "store",
        ...header,
        ttlSeconds,
        ...replication,
        key,
        value: readRest(body, "value"),
      };
    }
  }
}

/** Encodes messages that begin with this header. */
function encoder(
  layout: PeerLayout,
  { rpcId, sender }: PeerHeader,
): (type: number, body: (writer: Writer) => void) => Uint8Array {
  return (type, body) =>
    encodeMessage(type, (writer) => {
      if (layout.hasSender) {
        writeSender(sender, writer);
      }
      requireKey(rpcId);
      writer.bytes(rpcId);
      body(writer);
    });
}

/** Of every message, in the dialect that names it. */
function writeSender(sender: PeerSender | undefined, writer: Writer): void {
  if (typeof sender !== "object" || sender === null)
    throw new TypeError("sender must be an object");
  requireKey(sender.id);
  requireWhole("a port", sender.port, 0, 65_535);
  writer.bytes(sender.id).u16(sender.port);
}

function readHeader(layout: PeerLayout, body: Reader): PeerHeader {
  if (!layout.hasSender) return { rpcId: body.bytes(KEY_BYTES, "rpcId") };
  const sender = { id: body.bytes(KEY_BYTES, "nodeId"), port: body.u16("p2pPort") };
  return { rpcId: body.bytes(KEY_BYTES, "rpcId"), sender };
}

function writeValue(
  { key, value }: { readonly key: Uint8Array; readonly value: Uint8Array },
  writer: Writer,
): void {
  requireKey(key);
  requireFilled("a value", value);
  writer.bytes(key).bytes(value);
}

function writeContact(layout: PeerLayout, contact: VoidphoneContact, writer: Writer): void {
  requireObject("a contact", contact);
  const ip = contactIp(layout, contact.host);
  if (ip === undefined) throw new RangeError("the dialect has no room for a contact's address");
  requireKey(contact.id);
  requireWhole("a port", contact.port, 0, 65_535);
  writer.bytes(ip).u16(contact.port).bytes(contact.id);
}

function readContacts(layout: PeerLayout, body: Reader): VoidphoneContact[] {
  const contactBytes = layout.ipBytes + 2 + KEY_BYTES;
  const count = body.remaining / contactBytes;
  if (!Number.isInteger(count)) body.refuse("contacts", "the last one is cut off");
  if (count > CONTACTS_MAX) body.refuse("contacts", `${count} are too many`);
  return Array.from({ length: count }, () => {
    const host = hostOf(body.bytes(layout.ipBytes, "ip"));
    const port = body.u16("port");
    return { host, port, id: body.bytes(KEY_BYTES, "id") };
  });
}

function encodeError(layout: PeerLayout, { fault }: PeerError): Uint8Array {
  const [, code] = layout.faults.find(([known]) => known === fault) ?? [];
  if (code === undefined) throw new RangeError("fault must be one that the dialect has");
  return encodeMessage(T.peerError, (writer) => writer.u16(code));
}

function readError(layout: PeerLayout, body: Reader): PeerError {
  const code = body.u16("error");
  const [fault] = layout.faults.find(([, known]) => known === code) ?? [];
  if (fault === undefined) body.refuse("error", `${code} is unknown`);
  body.expectEnd();
  return { kind: "error", fault };
}
