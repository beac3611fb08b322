import { type CborInput, encodeCbor, type Fields } from "../../codec/index.ts";
import { CELL_BYTES_MAX, CELL_BYTES_MIN, INDEX_MAX, MARK_MAX } from "../frame/frame.ts";
import {
  framesOf,
  framesToCbor,
  type SavedFrames,
  STATE_BYTES_MAX,
} from "../saved/saved-frames.ts";
import { chainOf, rootOf } from "../saved/saved-keys.ts";
import { framerOf, stateFields } from "../saved/state-fields.ts";
import type { FramerState } from "../sender/framer.ts";
import type { Generation } from "./retention.ts";

/** Where a reader's repair chain is followed. */
export interface RepairPosition {
  /** Root public key of the chain. */
  readonly root: Uint8Array;
  /** The next frame of it, and the chain's state there. Secret. */
  readonly next: number;
  readonly chain: Uint8Array;
}

/** Everything about a broadcast but its sealed frames, and what waits for one. */
export interface BroadcastState {
  readonly cellBytes: number;
  /** Root seed, 32 bytes. Secret. */
  readonly writeSeed: Uint8Array;
  /** The oldest frame that is kept, the first without a receipt, and the next one to be sealed. */
  readonly base: number;
  readonly storedBelow: number;
  readonly next: number;
  /** Bytes of which the Map had everything; 0 where an earlier version has not told. */
  readonly storedBytes: number;
  readonly framer: FramerState;
  readonly generations: readonly Generation[];
  /** The shortest life that the Map has granted. */
  readonly grantedSeconds: number;
  /** Of the last frame that was sealed. */
  readonly mark: number;
  /** Chain states at `base` and at `next`. Secret. */
  readonly oldestChain: Uint8Array;
  readonly chain: Uint8Array;
  readonly readers: readonly RepairPosition[];
  /** The frame that tells of an abort. */
  readonly resetIndex: number | undefined;
  readonly isDone: boolean;
}

const FORM = { kind: "broadcast", version: 3, bytesMax: STATE_BYTES_MAX } as const;
const GENERATIONS_MAX = 1_024;
const READERS_MAX = 1_024;
/** Most frames that options allow to be kept, and to be without a receipt. */
const KEPT_MAX = 2 ** 20;
const UNSTORED_MAX = 2 ** 16;

/** The head of a broadcast's journal: everything but bytes. Holds secrets. */
export function encodeBroadcastState(state: BroadcastState): Uint8Array {
  return encodeCbor(toCbor(state));
}

/** @throws CulvertError `CULVERT_BAD_STATE` */
export function decodeBroadcastState(bytes: Uint8Array): BroadcastState {
  return fromFields(stateFields(bytes, FORM));
}

/** A broadcast on its own: its head, and the frames that it keeps, by their journal names. */
export interface WholeBroadcast {
  readonly state: BroadcastState;
  readonly frames: SavedFrames;
}

/** What `save` gives. Holds secrets. */
export function encodeWholeBroadcast({ state, frames }: WholeBroadcast): Uint8Array {
  return encodeCbor({ ...toCbor(state), frames: framesToCbor(frames) });
}

/** @throws CulvertError `CULVERT_BAD_STATE` */
export function decodeWholeBroadcast(bytes: Uint8Array): WholeBroadcast {
  const fields = stateFields(bytes, FORM);
  return { state: fromFields(fields), frames: framesOf(fields) };
}

function toCbor(state: BroadcastState): { [key: string]: CborInput | undefined } {
  const { framer, generations, readers, ...rest } = state;
  return {
    kind: FORM.kind,
    version: FORM.version,
    ...rest,
    ...framer,
    generations: generations.map((generation) => ({ ...generation })),
    readers: readers.map((reader) => ({ ...reader })),
  };
}

function fromFields(fields: Fields): BroadcastState {
  const next = fields.integer("next", { max: INDEX_MAX });
  const base = fields.integer("base", { min: Math.max(0, next - KEPT_MAX), max: next });
  const storedMin = Math.max(base, next - UNSTORED_MAX);
  const framer = framerOf(fields);
  const [oldestChain, chain] = [chainOf(fields, "oldestChain"), chainOf(fields, "chain")];
  if (chain.index - oldestChain.index !== BigInt(next - base)) {
    throw fields.wrong("chain", "is not at the next frame");
  }
  return {
    cellBytes: fields.integer("cellBytes", { min: CELL_BYTES_MIN, max: CELL_BYTES_MAX }),
    writeSeed: fields.bytes("writeSeed", 32),
    base,
    storedBelow: fields.integer("storedBelow", { min: storedMin, max: next }),
    next,
    storedBytes: fields.has("storedBytes")
      ? fields.integer("storedBytes", { max: framer.framedBytes })
      : 0,
    framer,
    generations: generationsOf(fields, next),
    grantedSeconds: fields.integer("grantedSeconds", { max: 2 ** 32 - 1 }),
    mark: fields.integer("mark", { max: MARK_MAX }),
    oldestChain: oldestChain.toBytes(),
    chain: chain.toBytes(),
    readers: readersOf(fields),
    resetIndex: fields.has("resetIndex") ? resetOf(fields, next) : undefined,
    isDone: fields.boolean("isDone"),
  };
}

/** No frame follows the one that tells of an abort. */
function resetOf(fields: Fields, next: number): number {
  return fields.integer("resetIndex", { min: Math.max(0, next - 1), max: next - 1 });
}

function generationsOf(fields: Fields, next: number): Generation[] {
  const list = fields.fieldsList("generations");
  if (list.length > GENERATIONS_MAX) throw fields.wrong("generations", "has too many entries");
  let [from, bornUnixMs] = [0, 0];
  return list.map((entry) => {
    from = entry.integer("from", { min: from, max: next });
    bornUnixMs = entry.integer("bornUnixMs", { min: bornUnixMs });
    return { from, bornUnixMs };
  });
}

function readersOf(fields: Fields): RepairPosition[] {
  const list = fields.fieldsList("readers");
  if (list.length > READERS_MAX) throw fields.wrong("readers", "has too many entries");
  return list.map((entry) => ({
    root: rootOf(entry, "root"),
    next: entry.integer("next", { max: INDEX_MAX }),
    chain: chainOf(entry, "chain").toBytes(),
  }));
}
