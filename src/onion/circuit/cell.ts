import { assert } from "../../base/index.ts";
import { type FailureReason, reasonCode } from "../packet/backward.ts";
import { CELL_HEAD_BYTES, TAG_BYTES } from "../packet/geometry.ts";
import { isTagged } from "../packet/packet.ts";

/** What a cell is for. */
export type CellCommand =
  /** A part of a message; `request` counts the cells that follow. */
  | "data"
  /** A part of a request or a response. */
  | "part"
  /** The sender may send more; a proof that what it sent was received. */
  | "credit"
  | "padding"
  /** A hop cannot go on: reason and detail. */
  | "failure"
  /** Asks the last hop for a cell every so many milliseconds, padding if need be. */
  | "cover";

const COMMANDS: readonly CellCommand[] = ["data", "part", "credit", "padding", "failure", "cover"];

/** A cell without its layers. */
export interface Cell {
  readonly command: CellCommand;
  readonly request: number;
  readonly data: Uint8Array;
}

/** Tag 16, command 1, request 4, length 2, data, zeros. */
export function writeCell(cellBytes: number, cell: Cell): Uint8Array {
  return writeCellInto(new Uint8Array(cellBytes), cell);
}

/** Writes a cell into `bytes`, all of which are zeros, and answers with them. */
export function writeCellInto(bytes: Uint8Array, { command, request, data }: Cell): Uint8Array {
  assert(data.length <= bytes.length - CELL_HEAD_BYTES, "the data fits a cell");
  // By bytes, without a view of each cell.
  bytes[TAG_BYTES] = COMMANDS.indexOf(command);
  bytes[TAG_BYTES + 1] = request >>> 24;
  bytes[TAG_BYTES + 2] = request >>> 16;
  bytes[TAG_BYTES + 3] = request >>> 8;
  bytes[TAG_BYTES + 4] = request;
  bytes[TAG_BYTES + 5] = data.length >>> 8;
  bytes[TAG_BYTES + 6] = data.length;
  bytes.set(data, CELL_HEAD_BYTES);
  return bytes;
}

/** Whether a cell, one layer less than before, is for whoever looks at it. */
export function isForMe(bytes: Uint8Array): boolean {
  return isTagged(bytes);
}

/** The cell in `bytes`, whose data is a view of them; `undefined` when it makes no sense. */
export function readCell(bytes: Uint8Array): Cell | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const command = COMMANDS[view.getUint8(TAG_BYTES)];
  const length = view.getUint16(TAG_BYTES + 5);
  if (command === undefined || length > bytes.length - CELL_HEAD_BYTES) return undefined;
  const data = bytes.subarray(CELL_HEAD_BYTES, CELL_HEAD_BYTES + length);
  return { command, request: view.getUint32(TAG_BYTES + 1), data };
}

/** The cell that says why a hop cannot go on. */
export function failureCell(reason: FailureReason): Cell {
  return { command: "failure", request: 0, data: Uint8Array.of(reasonCode(reason), 0) };
}
