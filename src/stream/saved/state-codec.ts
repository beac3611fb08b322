import { type CborInput, type CborValue, encodeCbor, type Fields } from "../../codec/index.ts";
import {
  CELL_BYTES_MAX,
  CELL_BYTES_MIN,
  INDEX_MAX,
  MARK_MAX,
  payloadBytesMax,
  RESET_CODE_MAX,
} from "../frame/frame.ts";
import type { SavedChain } from "../frame/frame-keys.ts";
import { UNACKNOWLEDGED_FRAMES_CEILING } from "../options.ts";
import { FRAMES_BEYOND_LIMIT } from "../sender/probe-timer.ts";
import { SHORT_FRAMES_MAX, type ShortFrame } from "../sender/unacknowledged-frames.ts";
import type { BegunState, ReceiverState, SenderState, StreamState } from "../state.ts";
import { framesOf, framesToCbor, type SavedFrames, STATE_BYTES_MAX } from "./saved-frames.ts";
import { chainOf, rootOf } from "./saved-keys.ts";
import { ackWriterOf, ackWriterToCbor, framerOf, indexesOf, stateFields } from "./state-fields.ts";

/** Version of the saved form. */
export const STATE_VERSION = 3;

const FORM = { version: STATE_VERSION, bytesMax: STATE_BYTES_MAX } as const;
const FRAMES_PENDING_MAX = UNACKNOWLEDGED_FRAMES_CEILING + FRAMES_BEYOND_LIMIT;

/** The head of a journal: everything but bytes. Holds secrets. */
export function encodeState(state: StreamState): Uint8Array {
  return encodeCbor(stateToCbor(state));
}

/**
 * Parses a head. Saved state is hostile: it comes from a disk.
 *
 * @throws CulvertError `CULVERT_BAD_STATE`
 */
export function decodeState(bytes: Uint8Array): StreamState {
  return stateFromFields(stateFields(bytes, FORM));
}

/** A stream on its own: its head, the sealed frames that it still needs, and what waits for one. */
export interface WholeState {
  readonly state: StreamState;
  readonly frames: SavedFrames;
}

/** What `save` gives: the head, and the frames as pairs of name and bytes. Holds secrets. */
export function encodeWholeState(whole: WholeState): Uint8Array {
  return encodeCbor({ ...stateToCbor(whole.state), frames: framesToCbor(whole.frames) });
}

/** @throws CulvertError `CULVERT_BAD_STATE` */
export function decodeWholeState(bytes: Uint8Array): WholeState {
  const fields = stateFields(bytes, FORM);
  return { state: stateFromFields(fields), frames: framesOf(fields) };
}

function stateToCbor(state: StreamState): { [key: string]: CborInput | undefined } {
  const { sender, receiver } = state;
  const { framer, short, ...counters } = sender;
  const end = receiver.end === undefined ? undefined : { ...receiver.end };
  return {
    version: STATE_VERSION,
    cellBytes: state.cellBytes,
    writeSeed: state.writeSeed,
    readRoot: state.readRoot,
    isDone: state.isDone,
    sender: {
      ...counters,
      ...framer,
      expiresUnixMs: finiteOrAbsent(sender.expiresUnixMs),
      short: short.flatMap(({ index, lackingBytes }) => [index, lackingBytes]),
    },
    receiver: { ...receiver, begun: receiver.begun && { ...receiver.begun }, end },
    ackWriter: ackWriterToCbor(state.ackWriter),
    ackReader: { ...state.ackReader },
  };
}

function stateFromFields(fields: Fields): StreamState {
  const cellBytes = fields.integer("cellBytes", { min: CELL_BYTES_MIN, max: CELL_BYTES_MAX });
  return {
    cellBytes,
    writeSeed: fields.bytes("writeSeed", 32),
    readRoot: rootOf(fields, "readRoot"),
    isDone: fields.boolean("isDone"),
    sender: senderFromFields(fields.fields("sender"), payloadBytesMax(cellBytes)),
    receiver: receiverFromFields(fields.fields("receiver")),
    ackWriter: ackWriterOf(fields.fields("ackWriter")),
    ackReader: ackReaderFromFields(fields.fields("ackReader")),
  };
}

function senderFromFields(fields: Fields, payloadMax: number): SenderState {
  const next = index(fields, "next");
  const base = fields.integer("base", { min: Math.max(0, next - FRAMES_PENDING_MAX), max: next });
  const sealed = (name: string): number | undefined =>
    fields.has(name) ? fields.integer(name, { max: next - 1 }) : undefined;
  const framer = framerOf(fields);
  const withinFramed = { max: framer.framedBytes };
  return {
    base,
    next,
    storedBelow: fields.integer("storedBelow", { min: base, max: next }),
    expiresUnixMs: fields.has("expiresUnixMs")
      ? fields.number("expiresUnixMs")
      : Number.POSITIVE_INFINITY,
    acknowledgedBytes: fields.integer("acknowledgedBytes", withinFramed),
    storedBytes: fields.has("storedBytes") ? fields.integer("storedBytes", withinFramed) : 0,
    short: fields.has("short") ? shortFramesOf(fields, { base, next, payloadMax }) : [],
    endIndex: sealed("endIndex"),
    resetIndex: sealed("resetIndex"),
    resetCode: fields.has("resetCode")
      ? fields.integer("resetCode", { max: RESET_CODE_MAX })
      : undefined,
    creditLimit: fields.has("creditLimit") ? fields.integer("creditLimit") : undefined,
    probes: fields.has("probes")
      ? indexesOf(fields, "probes", { min: base, end: next, countMax: FRAMES_BEYOND_LIMIT })
      : [],
    mark: mark(fields),
    chain: chainOf(fields, "chain").toBytes(),
    framer,
  };
}

/** Pairs of an index and what is lacking, the indexes in order. */
function shortFramesOf(
  fields: Fields,
  within: { readonly base: number; readonly next: number; readonly payloadMax: number },
): ShortFrame[] {
  const { base, next, payloadMax } = within;
  const numbers = fields.list("short");
  if (numbers.length % 2 !== 0 || numbers.length > 2 * SHORT_FRAMES_MAX) {
    throw fields.wrong("short", "has not as many entries as it may");
  }
  const short: ShortFrame[] = [];
  for (let at = 0; at < numbers.length; at += 2) {
    const [index, lackingBytes] = [numbers[at], numbers[at + 1]];
    const min = (short.at(-1)?.index ?? base - 1) + 1;
    const isIndex = isInteger(index, min, next - 1);
    if (!isIndex || !isInteger(lackingBytes, 1, payloadMax)) {
      throw fields.wrong("short", "holds what is no short frame");
    }
    short.push({ index, lackingBytes });
  }
  return short;
}

function isInteger(value: CborValue | undefined, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max;
}

function receiverFromFields(fields: Fields): ReceiverState {
  const next = index(fields, "next");
  const nextOffset = fields.integer("nextOffset");
  const ended = fields.has("end") ? fields.fields("end") : undefined;
  const end = ended && {
    index: ended.integer("index", { max: next - 1 }),
    length: ended.integer("length"),
  };
  const takenOffset = fields.integer("takenOffset", { min: nextOffset, max: nextOffset + 2 ** 16 });
  return {
    next,
    nextOffset,
    takenOffset,
    mark: mark(fields),
    begun: fields.has("begun") ? begunFromFields(fields.fields("begun"), takenOffset) : undefined,
    end,
    chain: chainOf(fields, "chain").toBytes(),
  };
}

/** No piece is empty. */
function begunFromFields(fields: Fields, takenOffset: number): BegunState {
  const length = fields.integer("length", { min: 1, max: takenOffset });
  const first = fields.integer("first");
  const next = fields.integer("next", { min: first + 1, max: first + length });
  return { length, first, next };
}

function ackReaderFromFields(fields: Fields): SavedChain {
  return { next: index(fields, "next"), chain: chainOf(fields, "chain").toBytes() };
}

function index(fields: Fields, name: string): number {
  return fields.integer(name, { max: INDEX_MAX });
}

function mark(fields: Fields): number {
  return fields.integer("mark", { max: MARK_MAX });
}

function finiteOrAbsent(unixMs: number): number | undefined {
  return Number.isFinite(unixMs) ? Math.round(unixMs) : undefined;
}
