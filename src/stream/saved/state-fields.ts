import { CulvertError } from "../../base/index.ts";
import { type CborInput, decodeCbor, Fields } from "../../codec/index.ts";
import { INDEX_MAX } from "../frame/frame.ts";
import type { FramerState } from "../sender/framer.ts";
import type { AckWriterState } from "../state.ts";
import { chainOf } from "./saved-keys.ts";

const CODE = "CULVERT_BAD_STATE";

/** Acks without a receipt that a chain's saved state may tell of. */
const ACKS_PENDING_MAX = 64;

/** What a saved state says of itself. */
export interface StateForm {
  /** What it is the state of; that of a stream says nothing. */
  readonly kind?: string;
  readonly version: number;
  readonly bytesMax: number;
}

/**
 * The fields of a saved state, which comes from a disk and is believed nothing.
 *
 * @throws CulvertError `CULVERT_BAD_STATE`, also for one of another kind or version
 */
export function stateFields(bytes: Uint8Array, { kind, version, bytesMax }: StateForm): Fields {
  const fields = Fields.of(decodeCbor(bytes, { maxBytes: bytesMax, code: CODE }), CODE);
  if (kind !== undefined && fields.text("kind") !== kind) {
    throw fields.wrong("kind", `is not a ${kind}`);
  }
  const saved = fields.integer("version", { min: 1 });
  if (saved === version) return fields;
  throw new CulvertError(CODE, "the state is of another version", { detail: { version: saved } });
}

/**
 * What an ack writer goes on from, on the chain of a stream or of a reader's repairs.
 *
 * @throws CulvertError of the fields
 */
export function ackWriterOf(fields: Fields): AckWriterState {
  const next = fields.integer("next", { max: INDEX_MAX });
  const range = { min: 0, end: next, countMax: ACKS_PENDING_MAX };
  return {
    next,
    // Saved as the number of the next one: none is no number of a field.
    stored: fields.integer("stored", { max: next }) - 1,
    pending: indexesOf(fields, "pending", range),
    chain: chainOf(fields, "chain").toBytes(),
  };
}

/** As {@link ackWriterOf} reads it. */
export function ackWriterToCbor(state: AckWriterState): { [key: string]: CborInput } {
  const { next, stored, pending, chain } = state;
  return { next, stored: stored + 1, pending, chain };
}

/** What a framer goes on from, of a stream or of a broadcast. */
export function framerOf(fields: Fields): FramerState {
  return {
    framedBytes: fields.integer("framedBytes"),
    endAsked: fields.boolean("endAsked"),
    isEndFramed: fields.boolean("isEndFramed"),
    waitingBytes: fields.integer("waitingBytes"),
  };
}

/**
 * A list of indexes from `min` on and below `end`.
 *
 * @throws CulvertError of the fields
 */
export function indexesOf(
  fields: Fields,
  name: string,
  { min, end, countMax }: { readonly min: number; readonly end: number; readonly countMax: number },
): number[] {
  const indexes = fields.list(name).map((item) => {
    const isIndex = typeof item === "number" && Number.isSafeInteger(item);
    if (!isIndex || item < min || item >= end) throw fields.wrong(name, "holds what is no index");
    return item;
  });
  if (indexes.length > countMax) throw fields.wrong(name, "has too many entries");
  return indexes;
}
