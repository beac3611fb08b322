import { CulvertError } from "../../base/index.ts";
import { Reader, Writer } from "../../codec/index.ts";
import { type NodeAddress, readNodeAddress, writeNodeAddress } from "../../identity/index.ts";
import { readProtocol, writeProtocol } from "./mux-frames.ts";

/** Why a link was closed by the peer. */
export type Farewell =
  | "closed"
  | "busy"
  | "protocol"
  /** The link that a new path was meant for is not known. */
  | "unknown-link";

/** What the initiator of a path wants with it. */
export type Intent =
  | { readonly kind: "new" }
  /** The path is to replace the one of a link, which was there before `epoch`. */
  | { readonly kind: "resume"; readonly epoch: number; readonly received: number };

/** What an end says of itself as soon as a path is authenticated. */
export interface Hello {
  /** Streams that it takes at once, and the window of a new one. */
  readonly streams: number;
  readonly streamWindow: number;
  /** Where the other end is, as seen from here. */
  readonly observed: NodeAddress | undefined;
}

/** The records that are not numbered: they are about the path, or may be lost with it. */
export type ControlRecord =
  | ({ readonly kind: "hello" } & Hello)
  /** After the initiator's hello; 16 random bytes name the link between the two nodes. */
  | { readonly kind: "intent"; readonly linkId: Uint8Array; readonly intent: Intent }
  /** The answer to `resume`: numbered records go on from there. */
  | { readonly kind: "resumed"; readonly received: number }
  /** How many numbered records have come. */
  | { readonly kind: "ack"; readonly received: number }
  | { readonly kind: "ping" }
  | { readonly kind: "datagram"; readonly protocol: string; readonly bytes: Uint8Array }
  | { readonly kind: "goodbye"; readonly why: Farewell }
  /** Beside the ordered records: the payload of the numbered one that is sent as well. */
  | { readonly kind: "copy"; readonly number: number; readonly payload: Uint8Array };

/** The first byte of a record's payload; lower ones begin the frames of a numbered record. */
const CONTROL_FIRST = 0x40;
const HELLO = 0x40;
const INTENT = 0x41;
const RESUMED = 0x42;
const ACK = 0x43;
const PING = 0x44;
const DATAGRAM = 0x45;
const GOODBYE = 0x46;
const COPY = 0x47;

const FAREWELL_CODES = {
  busy: "CULVERT_BUSY",
  protocol: "CULVERT_PROTOCOL",
  "unknown-link": "CULVERT_UNREACHABLE",
} as const;

const FAREWELLS: readonly Farewell[] = ["closed", "busy", "protocol", "unknown-link"];
/** What names a link between its two nodes. */
export const LINK_ID_BYTES = 16;
/** Further than any link comes: what is proposed next has to fit its field. */
const EPOCH_MAX = 2 ** 31;

/** What a link ends with when its peer has said goodbye, but for an orderly end. */
export function farewellError(why: Exclude<Farewell, "closed">): CulvertError {
  return new CulvertError(FAREWELL_CODES[why], undefined, { remote: true, detail: { why } });
}

/** What a link ends with whose peer broke the protocol. */
export function broken(why: string): CulvertError {
  return new CulvertError("CULVERT_PROTOCOL", why);
}

/** Whether a record's payload is numbered: it holds frames of streams. */
export function isNumbered(payload: Uint8Array): boolean {
  return (payload[0] ?? CONTROL_FIRST) < CONTROL_FIRST;
}

/** Writes the payload of a control record, to be sealed soon. */
export function encodeControl(record: ControlRecord): Uint8Array {
  const writer = Writer.brief(capacityFor(record));
  switch (record.kind) {
    case "hello":
      return writeHello(writer, record).finish();
    case "intent":
      return writeIntent(writer, record).finish();
    case "resumed":
      return writer.u8(RESUMED).u48(record.received).finish();
    case "ack":
      return writer.u8(ACK).u48(record.received).finish();
    case "ping":
      return writer.u8(PING).finish();
    case "datagram":
      return writeProtocol(writer.u8(DATAGRAM), record.protocol).bytes(record.bytes).finish();
    case "goodbye":
      return writer.u8(GOODBYE).u8(FAREWELLS.indexOf(record.why)).finish();
    case "copy":
      return writer.u8(COPY).u48(record.number).bytes(record.payload).finish();
  }
}

function capacityFor(record: ControlRecord): number {
  if (record.kind === "datagram") return record.bytes.length + 64;
  return record.kind === "copy" ? record.payload.length + 7 : 32;
}

/** @throws CulvertError `CULVERT_PROTOCOL` when the payload is no control record */
export function readControl(payload: Uint8Array): ControlRecord {
  const reader: Reader = new Reader(payload);
  const record = readKind(reader);
  reader.expectEnd();
  return record;
}

function readKind(reader: Reader): ControlRecord {
  switch (reader.u8("record")) {
    case HELLO:
      return readHello(reader);
    case INTENT:
      return readIntent(reader);
    case RESUMED:
      return { kind: "resumed", received: reader.u48("received") };
    case ACK:
      return { kind: "ack", received: reader.u48("received") };
    case PING:
      return { kind: "ping" };
    case DATAGRAM:
      return { kind: "datagram", protocol: readProtocol(reader), bytes: reader.rest() };
    case GOODBYE: {
      const why = FAREWELLS[reader.u8("why")];
      return why === undefined ? reader.refuse("why", "is not known") : { kind: "goodbye", why };
    }
    case COPY:
      return { kind: "copy", number: reader.u48("number"), payload: reader.rest() };
    default:
      return reader.refuse("record", "is of no known kind");
  }
}

function writeHello(writer: Writer, { streams, streamWindow, observed }: Hello): Writer {
  writer.u8(HELLO).u32(streams).u32(streamWindow);
  writer.u8(observed === undefined ? 0 : 1);
  if (observed !== undefined) writeNodeAddress(writer, observed);
  return writer;
}

function readHello(reader: Reader): ControlRecord {
  const streams = reader.u32("streams");
  const streamWindow = reader.u32("window");
  const hasObserved = reader.u8("has observed");
  if (hasObserved > 1) reader.refuse("has observed", "is neither 0 nor 1");
  const observed = hasObserved === 0 ? undefined : readNodeAddress(reader);
  return { kind: "hello", streams, streamWindow, observed };
}

function writeIntent(
  writer: Writer,
  { linkId, intent }: { readonly linkId: Uint8Array; readonly intent: Intent },
): Writer {
  writer.u8(INTENT).bytes(linkId);
  if (intent.kind === "new") return writer.u8(0);
  return writer.u8(1).u32(intent.epoch).u48(intent.received);
}

function readIntent(reader: Reader): ControlRecord {
  const linkId = reader.bytes(LINK_ID_BYTES, "link").slice();
  const kind = reader.u8("intent");
  if (kind === 0) return { kind: "intent", linkId, intent: { kind: "new" } };
  if (kind !== 1) reader.refuse("intent", "is not known");
  const epoch = reader.u32("epoch");
  if (epoch > EPOCH_MAX) reader.refuse("epoch", "is beyond all");
  return {
    kind: "intent",
    linkId,
    intent: { kind: "resume", epoch, received: reader.u48("received") },
  };
}
