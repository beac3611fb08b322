import { CELL_OVERHEAD_BYTES } from "../../crypto/index.ts";

/** Format version in every frame. */
const FRAME_VERSION = 2;
/** Bytes before the payload of a frame. */
export const FRAME_HEADER_BYTES = 32;
/** What a cell is longer than the payload it can carry. */
const FRAMING_BYTES: number = CELL_OVERHEAD_BYTES + FRAME_HEADER_BYTES;
/** How many frames after the acknowledged one a selective acknowledgement can name. */
export const SELECTIVE_BITS = 112;

const SELECTIVE_BYTES = SELECTIVE_BITS / 8;
const INDEX_BYTES = 6;

/** Smallest cell that carries a byte of payload beside the length that an `end` frame holds. */
export const CELL_BYTES_MIN: number = FRAMING_BYTES + 16;
/** Largest cell: the length field of a frame has 16 bits. */
export const CELL_BYTES_MAX: number = FRAMING_BYTES + 0xffff;
/** Indexes have 48 bits on the wire. */
export const INDEX_MAX: number = 2 ** 48 - 1;
/** So have marks. */
export const MARK_MAX: number = 2 ** 48 - 1;

const TYPES = ["start", "data", "end", "ack", "probe", "reset"] as const;

/** What a frame is for; docs/STREAM.md says when each one is sent. */
export type FrameType = (typeof TYPES)[number];

/** Bits of the flags field. */
export const FLAG_TOOK_END = 1;
export const FLAG_KNOWS_END_TAKEN = 2;
export const FLAG_ABORTED = 4;
/** What a frame with the flag before can tell of why, in the place of the credit. */
export const RESET_CODE_MAX = 0xffff;
/** There is a later frame, and the one at `ack` was asked for in vain: the Map may have lost it. */
export const FLAG_STARVED = 8;
const FLAGS_ALL = FLAG_TOOK_END | FLAG_KNOWS_END_TAKEN | FLAG_ABORTED | FLAG_STARVED;

/** What one side says about the frames it has read from the other. */
export interface Acknowledgement {
  /** Every frame below this index has been taken. */
  readonly next: number;
  /** Frames from `next` on that may be sent, 0 to 65,535. */
  readonly credit: number;
  /** SELECTIVE_BITS bits; bit j says that frame `next + 1 + j` has arrived. */
  readonly selective: Uint8Array;
}

/** What a frame says beside its payload. */
export interface AckContent {
  readonly acknowledgement: Acknowledgement;
  readonly flags: number;
}

/** One frame as it is before sealing and after opening. */
export interface Frame {
  readonly type: FrameType;
  /** The mark of the frame before it; 0 for the first of a chain, and in every ack. */
  readonly previous: number;
  readonly acknowledgement: Acknowledgement;
  readonly flags: number;
  readonly payload: Uint8Array;
}

/** The mark of no frame. */
export const NO_MARK = 0;

/** The acknowledgement of somebody who has read nothing. */
export const NO_ACKNOWLEDGEMENT: Acknowledgement = {
  next: 0,
  credit: 0,
  selective: new Uint8Array(SELECTIVE_BYTES),
};

/** An empty bitmap, owned by the caller. */
export function emptySelective(): Uint8Array {
  return new Uint8Array(SELECTIVE_BYTES);
}

/** The payload that one cell of `cellBytes` carries at most. */
export function payloadBytesMax(cellBytes: number): number {
  return cellBytes - FRAMING_BYTES;
}

/**
 * Lays a frame out in all of `bytes`, whatever they were before, and gives them back.
 *
 * @throws RangeError when a field does not fit: a mistake of the caller
 */
export function encodeFrame(frame: Frame, bytes: Uint8Array): Uint8Array {
  const { acknowledgement: ack, payload } = frame;
  if (payload.length > bytes.length - FRAME_HEADER_BYTES) throw new RangeError("payload too long");
  if (frame.previous > MARK_MAX) throw new RangeError("mark too large");
  if (ack.next > INDEX_MAX) throw new RangeError("index too large");
  bytes[0] = (FRAME_VERSION << 4) | TYPES.indexOf(frame.type);
  writeIndex(bytes, 1, frame.previous);
  writeIndex(bytes, 7, ack.next);
  bytes[13] = ack.credit >>> 8;
  bytes[14] = ack.credit;
  bytes[15] = payload.length >>> 8;
  bytes[16] = payload.length;
  bytes[17] = frame.flags;
  bytes.set(ack.selective, 18);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes.fill(0, FRAME_HEADER_BYTES + payload.length);
}

/** A frame, or the name of the first field that is wrong. */
export type DecodedFrame =
  | { readonly kind: "frame"; readonly frame: Frame }
  | { readonly kind: "malformed"; readonly field: string };

/** Parses opened bytes; the frame borrows its payload and bitmap from them. Never throws. */
export function decodeFrame(bytes: Uint8Array): DecodedFrame {
  if (bytes.length < FRAME_HEADER_BYTES) return { kind: "malformed", field: "size" };
  const first = bytes[0] ?? 0;
  if (first >>> 4 !== FRAME_VERSION) return { kind: "malformed", field: "version" };
  const type = TYPES[first & 0x0f];
  if (type === undefined) return { kind: "malformed", field: "type" };
  const length = readU16(bytes, 15);
  if (length > bytes.length - FRAME_HEADER_BYTES) return { kind: "malformed", field: "length" };
  const payloadEnd = FRAME_HEADER_BYTES + length;
  if (!isZeroFrom(bytes, payloadEnd)) return { kind: "malformed", field: "padding" };
  const flags = bytes[17] ?? 0;
  if (flags > FLAGS_ALL) return { kind: "malformed", field: "flags" };
  const frame: Frame = {
    type,
    previous: readIndex(bytes, 1),
    acknowledgement: {
      next: readIndex(bytes, 7),
      credit: readU16(bytes, 13),
      selective: bytes.subarray(18, 18 + SELECTIVE_BYTES),
    },
    flags,
    payload: bytes.subarray(FRAME_HEADER_BYTES, payloadEnd),
  };
  return { kind: "frame", frame };
}

/**
 * How the frame behind this cell names it: the first 48 bits of its nonce. Two sessions that seal
 * frames of one number, as a restored backup may, seal cells of different marks.
 */
export function markOf(cell: Uint8Array): number {
  return readIndex(cell, 0);
}

/** Whether bit `j` of a selective acknowledgement is set. */
export function isSelected(selective: Uint8Array, j: number): boolean {
  return ((selective[j >>> 3] ?? 0) & (1 << (j & 7))) !== 0;
}

/** Whether all frames that `ack` can speak of have arrived: they wait for the application. */
export function isFull(ack: Acknowledgement): boolean {
  return ack.selective.every((byte) => byte === 0xff);
}

/** The index behind the last frame that `ack` says has arrived. */
export function arrivedEnd(ack: Acknowledgement): number {
  for (let j = SELECTIVE_BITS - 1; j >= 0; j--) {
    if (isSelected(ack.selective, j)) return ack.next + j + 2;
  }
  return ack.next;
}

/** Sets bit `j`; bits that the field has no room for are left out. */
export function select(selective: Uint8Array, j: number): void {
  if (j < 0 || j >= SELECTIVE_BITS) return;
  selective[j >>> 3] = (selective[j >>> 3] ?? 0) | (1 << (j & 7));
}

/** Word by word: the padding of an ack is nearly the whole cell. */
function isZeroFrom(bytes: Uint8Array, from: number): boolean {
  const isAligned = (at: number): boolean => (bytes.byteOffset + at) % 4 === 0;
  let found = 0;
  let at = from;
  for (; at < bytes.length && !isAligned(at); at++) found |= bytes[at] ?? 0;
  // A full frame of odd size ends before a word could begin.
  if (at === bytes.length) return found === 0;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (bytes.length - at) >> 2);
  for (let i = 0; i < words.length; i++) found |= words[i] ?? 0;
  for (at += 4 * words.length; at < bytes.length; at++) found |= bytes[at] ?? 0;
  return found === 0;
}

function writeIndex(bytes: Uint8Array, at: number, index: number): void {
  let rest = index;
  for (let i = INDEX_BYTES - 1; i >= 0; i--) {
    bytes[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function readIndex(bytes: Uint8Array, at: number): number {
  let index = 0;
  for (let i = 0; i < INDEX_BYTES; i++) index = index * 256 + (bytes[at + i] ?? 0);
  return index;
}

function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
