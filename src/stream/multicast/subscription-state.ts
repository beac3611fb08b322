import { type CborInput, encodeCbor, type Fields } from "../../codec/index.ts";
import { ackName } from "../acks/ack-writer.ts";
import { CELL_BYTES_MAX, CELL_BYTES_MIN, INDEX_MAX, MARK_MAX } from "../frame/frame.ts";
import type { ArrivalsStart } from "../receiver/arrivals.ts";
import { framesOf, framesToCbor, type SavedFrames } from "../saved/saved-frames.ts";
import { chainOf, rootOf } from "../saved/saved-keys.ts";
import { ackWriterOf, ackWriterToCbor, stateFields } from "../saved/state-fields.ts";
import type { AckWriterState } from "../state.ts";

/** Where a reader asks for repairs. */
export interface RepairState extends AckWriterState {
  /** Root seed of its chain, 32 bytes. Secret. */
  readonly seed: Uint8Array;
}

/** Everything about a subscription. */
export interface SubscriptionState {
  readonly cellBytes: number;
  /** Root public key of the broadcast. */
  readonly root: Uint8Array;
  readonly position: ArrivalsStart;
  /** Chain state at the next frame. Secret. */
  readonly chain: Uint8Array;
  /** No frame was skipped, and the first one was the first of all: offsets count from the start. */
  readonly isWhole: boolean;
  readonly skippedFrames: number;
  readonly repair: RepairState | undefined;
  /** The end was taken. */
  readonly isDone: boolean;
}

const FORM = { kind: "subscription", version: 2, bytesMax: 2 ** 20 } as const;

/** The state as CBOR. Holds secrets. */
export function encodeSubscriptionState(state: SubscriptionState): Uint8Array {
  return encodeCbor(toCbor(state));
}

/** @throws CulvertError `CULVERT_BAD_STATE` */
export function decodeSubscriptionState(bytes: Uint8Array): SubscriptionState {
  return fromFields(stateFields(bytes, FORM));
}

/** A subscription on its own: its state, and the sealed questions that have no receipt. */
export interface WholeSubscription {
  readonly state: SubscriptionState;
  readonly frames: SavedFrames;
}

/** What `save` gives. Holds secrets. */
export function encodeWholeSubscription({ state, frames }: WholeSubscription): Uint8Array {
  return encodeCbor({ ...toCbor(state), frames: framesToCbor(frames) });
}

/** @throws CulvertError `CULVERT_BAD_STATE` */
export function decodeWholeSubscription(bytes: Uint8Array): WholeSubscription {
  const fields = stateFields(bytes, FORM);
  const { repair, ...state } = fromFields(fields);
  const frames = fields.has("frames") ? framesOf(fields) : new Map<string, Uint8Array>();
  // A question that is not among them cannot be repeated.
  const pending = repair?.pending.filter((index) => frames.has(ackName(index))) ?? [];
  return { state: { ...state, repair: repair && { ...repair, pending } }, frames };
}

function toCbor(state: SubscriptionState): { [key: string]: CborInput | undefined } {
  const { position, repair, ...rest } = state;
  return {
    kind: FORM.kind,
    version: FORM.version,
    ...rest,
    ...position,
    repair: repair && { seed: repair.seed, ...ackWriterToCbor(repair) },
  };
}

function fromFields(fields: Fields): SubscriptionState {
  const nextOffset = fields.integer("nextOffset");
  const takenMax = nextOffset + CELL_BYTES_MAX;
  return {
    cellBytes: fields.integer("cellBytes", { min: CELL_BYTES_MIN, max: CELL_BYTES_MAX }),
    root: rootOf(fields, "root"),
    position: {
      next: fields.integer("next", { max: INDEX_MAX }),
      nextOffset,
      takenOffset: fields.integer("takenOffset", { min: nextOffset, max: takenMax }),
      mark: fields.has("mark") ? fields.integer("mark", { max: MARK_MAX }) : undefined,
    },
    chain: chainOf(fields, "chain").toBytes(),
    isWhole: fields.boolean("isWhole"),
    skippedFrames: fields.integer("skippedFrames"),
    repair: fields.has("repair") ? repairOf(fields.fields("repair")) : undefined,
    isDone: fields.boolean("isDone"),
  };
}

function repairOf(fields: Fields): RepairState {
  return { seed: fields.bytes("seed", 32), ...ackWriterOf(fields) };
}
