import { Reader, Writer } from "../../codec/index.ts";
import { surbBytes } from "../packet/geometry.ts";
import { contentBytesMax, type OnionParts } from "../packet/packet.ts";

/** Bytes of the name of a message. */
export const MESSAGE_ID_BYTES = 16;

const FLAGS = Object.freeze({ last: 1, surb: 2, origin: 4 });

/** Flags, message, index, lengths of origin and data. */
const HEAD_BYTES = 1 + MESSAGE_ID_BYTES + 2 + 2 + 2;

/** What the payload of one packet says to its destination: a piece of a message. */
export interface Content {
  /** 16 random bytes. */
  readonly message: Uint8Array;
  /** 0 for the first piece. */
  readonly index: number;
  readonly isLast: boolean;
  /** A reply block, if a reply is wanted that way. */
  readonly surb?: Uint8Array | undefined;
  /** The descriptor of the origin, if it wants to be known. */
  readonly origin?: Uint8Array | undefined;
  readonly data: Uint8Array;
}

/** Bytes of data that a piece has room for. */
export function pieceBytesMax(
  { geometry }: OnionParts,
  options: { readonly hasSurb?: boolean; readonly originBytes?: number; readonly room?: number },
): number {
  const room = options.room ?? contentBytesMax(geometry);
  const surb = options.hasSurb === true ? surbBytes(geometry) : 0;
  return room - HEAD_BYTES - surb - (options.originBytes ?? 0);
}

/** Flags 1, message 16, index 2, origin length 2, data length 2, reply block, origin, data. */
export function encodeContent(content: Content): Uint8Array {
  const { surb, origin, data } = content;
  const flags =
    (content.isLast ? FLAGS.last : 0) |
    (surb === undefined ? 0 : FLAGS.surb) |
    (origin === undefined ? 0 : FLAGS.origin);
  const writer = new Writer(HEAD_BYTES + data.length + (surb?.length ?? 0));
  writer.u8(flags).bytes(content.message).u16(content.index);
  writer.u16(origin?.length ?? 0).u16(data.length);
  if (surb !== undefined) writer.bytes(surb);
  if (origin !== undefined) writer.bytes(origin);
  return writer.bytes(data).finish();
}

/**
 * Reads a piece; what follows it is padding. Its fields are views.
 *
 * @throws CulvertError `CULVERT_PROTOCOL`
 */
export function readContent({ geometry }: OnionParts, bytes: Uint8Array): Content {
  const reader: Reader = new Reader(bytes);
  const flags = reader.u8("flags");
  if (flags > 7) reader.refuse("flags", "has an unknown bit");
  const message = reader.bytes(MESSAGE_ID_BYTES, "message");
  const index = reader.u16("index");
  const originBytes = reader.u16("origin length");
  const dataBytes = reader.u16("data length");
  const hasOrigin = (flags & FLAGS.origin) !== 0;
  if (!hasOrigin && originBytes !== 0) reader.refuse("origin length", "is of nothing");
  const surb =
    (flags & FLAGS.surb) === 0 ? undefined : reader.bytes(surbBytes(geometry), "reply block");
  const origin = hasOrigin ? reader.bytes(originBytes, "origin") : undefined;
  const data = reader.bytes(dataBytes, "data");
  const isLast = (flags & FLAGS.last) !== 0;
  return { message, index, isLast, data, surb, origin };
}
