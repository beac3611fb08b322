import { type Reader, Writer } from "../../codec/index.ts";
import type { Priority } from "../contract.ts";

/** The number of a stream: even ones are opened by the link's initiator, odd ones by its peer. */
export type StreamId = number;

/** What the frames of a record say. Bytes are views of the record. */
export type MuxFrame =
  | {
      readonly kind: "open";
      readonly id: StreamId;
      readonly protocol: string;
      readonly priority: Priority;
    }
  | { readonly kind: "data"; readonly id: StreamId; readonly bytes: Uint8Array }
  | { readonly kind: "end"; readonly id: StreamId }
  | { readonly kind: "reset"; readonly id: StreamId; readonly code: number }
  | { readonly kind: "credit"; readonly id: StreamId; readonly amount: number }
  /** The sender has more to send than it has credit for. */
  | { readonly kind: "blocked"; readonly id: StreamId };

/** Every frame that carries no data. */
export type ControlFrame = Exclude<MuxFrame, { readonly kind: "data" }>;

/** The classes of streams, the most urgent first. */
export const PRIORITIES: readonly Priority[] = ["urgent", "normal", "bulk"];

/** The longest name of a protocol. */
const PROTOCOL_CHARACTERS_MAX = 64;

/** Bytes of a data frame beside its payload. */
export const DATA_FRAME_BYTES = 7;

const OPEN = 1;
const DATA = 2;
const END = 3;
const RESET = 4;
const CREDIT = 5;
const BLOCKED = 6;

/** @throws RangeError when `protocol` is no name that fits a frame */
export function requireProtocol(protocol: string): void {
  if (!isProtocol(protocol)) {
    throw new RangeError(`a protocol's name has 1 to 64 of a-z, 0-9, ".", "/" and "-"`);
  }
}

function isProtocol(text: string): boolean {
  return (
    typeof text === "string" &&
    text.length <= PROTOCOL_CHARACTERS_MAX &&
    /^[a-z0-9./-]+$/.test(text)
  );
}

/** Writes what goes before the bytes of a data frame. */
export function encodeDataHead(id: StreamId, bytes: number): Uint8Array {
  return new Writer(DATA_FRAME_BYTES).u8(DATA).u32(id).u16(bytes).finish();
}

/** Writes a frame without data. */
export function encodeControlFrame(frame: ControlFrame): Uint8Array {
  const writer = new Writer(16);
  switch (frame.kind) {
    case "open":
      return writeProtocol(
        writer.u8(OPEN).u32(frame.id).u8(PRIORITIES.indexOf(frame.priority)),
        frame.protocol,
      ).finish();
    case "end":
      return writer.u8(END).u32(frame.id).finish();
    case "reset":
      return writer.u8(RESET).u32(frame.id).u16(frame.code).finish();
    case "credit":
      return writer.u8(CREDIT).u32(frame.id).u32(frame.amount).finish();
    case "blocked":
      return writer.u8(BLOCKED).u32(frame.id).finish();
  }
}

/** @throws CulvertError `CULVERT_PROTOCOL` when the bytes are no frame */
export function readFrame(reader: Reader): MuxFrame {
  const type = reader.u8("frame");
  const id = reader.u32("stream");
  switch (type) {
    case OPEN: {
      const priority = PRIORITIES[reader.u8("priority")];
      if (priority === undefined) return reader.refuse("priority", "is not known");
      return { kind: "open", id, priority, protocol: readProtocol(reader) };
    }
    case DATA: {
      const length = reader.u16("length");
      if (length === 0) reader.refuse("length", "is zero");
      return { kind: "data", id, bytes: reader.bytes(length, "data") };
    }
    case END:
      return { kind: "end", id };
    case RESET:
      return { kind: "reset", id, code: reader.u16("code") };
    case CREDIT:
      return { kind: "credit", id, amount: reader.u32("amount") };
    case BLOCKED:
      return { kind: "blocked", id };
    default:
      return reader.refuse("frame", "is of no known kind");
  }
}

/** Length u8, then the name. */
export function writeProtocol(writer: Writer, protocol: string): Writer {
  writer.u8(protocol.length);
  for (let at = 0; at < protocol.length; at++) writer.u8(protocol.charCodeAt(at));
  return writer;
}

/** @throws CulvertError `CULVERT_PROTOCOL` when the bytes are no name of a protocol */
export function readProtocol(reader: Reader): string {
  const length = reader.u8("protocol length");
  const protocol = String.fromCharCode(...reader.bytes(length, "protocol"));
  return isProtocol(protocol) ? protocol : reader.refuse("protocol", "is no name");
}
