import { CulvertError, type Journal } from "../../base/index.ts";
import type { CborInput, Fields } from "../../codec/index.ts";
import { ackName } from "../acks/ack-writer.ts";
import { begunName } from "../receiver/begun-bytes.ts";
import { WAITING_NAME } from "../sender/framer.ts";
import { frameName } from "../sender/unacknowledged-frames.ts";
import type { BegunState } from "../state.ts";
import type { Journalling } from "./journalling.ts";
import { MemoryJournalStore } from "./memory-journal.ts";

/** What lies beside a head, by journal name: sealed frames, what waits for one, what is begun. */
export type SavedFrames = ReadonlyMap<string, Uint8Array>;

/** Longest state that is saved or loaded; one that lives in a store may be longer. */
export const STATE_BYTES_MAX: number = 2 ** 30;

/** What it has besides frames, and what each of those has besides its bytes, at the most. */
const HEAD_BYTES_MAX = 2 ** 20;
const PAIR_BYTES_MAX = 32;

/**
 * Frames beside the state that needs them, as pairs of name and bytes.
 *
 * @throws CulvertError `CULVERT_TOO_LARGE` when nobody could load them
 */
export function framesToCbor(frames: SavedFrames): CborInput[] {
  let length = HEAD_BYTES_MAX;
  for (const bytes of frames.values()) length += PAIR_BYTES_MAX + bytes.length;
  if (length > STATE_BYTES_MAX) {
    throw new CulvertError("CULVERT_TOO_LARGE", "a state that only a store has room for", {
      detail: { limit: STATE_BYTES_MAX, length },
    });
  }
  return [...frames].map(([name, bytes]) => [name, bytes]);
}

/**
 * The frames beside a saved state.
 *
 * @throws CulvertError of the fields
 */
export function framesOf(fields: Fields): Map<string, Uint8Array> {
  const frames = new Map<string, Uint8Array>();
  for (const pair of fields.list("frames")) {
    const [name, sealed] = Array.isArray(pair) ? pair : [];
    if (typeof name !== "string" || !(sealed instanceof Uint8Array)) {
      throw fields.wrong("frames", "holds no pair of a name and bytes");
    }
    frames.set(name, sealed);
  }
  return frames;
}

/** What a saved state needs beside it. */
export interface NeededFrames {
  /** Those of the data chain: the first one, and the one behind the last. */
  readonly base: number;
  readonly next: number;
  /** Indexes of those of the ack chain. */
  readonly acks: readonly number[];
  /** How much waits for a frame. */
  readonly waitingBytes: number;
  readonly begun?: BegunState | undefined;
}

/**
 * A journal in memory that holds a saved state and what it needs of the frames beside it, and the
 * way to open it again.
 */
export async function loadedJournal(
  head: Uint8Array,
  frames: SavedFrames,
  needed: NeededFrames,
): Promise<Journalling & { readonly journal: Journal }> {
  const store = new MemoryJournalStore();
  const reopen = (): Promise<Journal> => store.open("loaded");
  const journal = await reopen();
  const kept = [...frames].filter(([name]) => isNeeded(name, needed));
  await journal.commit({ head, put: kept.map(([name, bytes]) => ({ name, bytes })), remove: [] });
  return { journal, reopen };
}

/**
 * Removes from a journal what its state needs no more: a session that stops, or crashes, leaves the
 * last frames that were acknowledged there, and nobody else would ever look for them.
 *
 * @throws CulvertError of the journal
 */
export async function sweep(
  journal: Journal,
  head: Uint8Array,
  needed: NeededFrames,
): Promise<void> {
  const strays = (await journal.names()).filter((name) => !isNeeded(name, needed));
  if (strays.length > 0) await journal.commit({ head, put: [], remove: strays });
}

/**
 * What waits for a frame: the last of those bytes that a halt has left.
 *
 * @throws CulvertError `CULVERT_BAD_STATE` when they are not all there; those of the journal
 */
export async function waitingIn(
  journal: Journal,
  { waitingBytes }: NeededFrames,
): Promise<Uint8Array> {
  if (waitingBytes === 0) return new Uint8Array(0);
  const left = (await journal.read(WAITING_NAME)) ?? new Uint8Array(0);
  if (left.length >= waitingBytes) return left.subarray(left.length - waitingBytes);
  throw new CulvertError("CULVERT_BAD_STATE", "bytes that were written are missing");
}

/**
 * The pieces of what the application has begun.
 *
 * @throws CulvertError `CULVERT_BAD_STATE` when they are not all there; those of the journal
 */
export async function begunIn(journal: Journal, { begun }: NeededFrames): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  if (begun === undefined) return pieces;
  let missing = begun.length;
  for (let number = begun.first; number < begun.next; number++) {
    const piece = await journal.read(begunName(number));
    if (piece === undefined) break;
    missing -= piece.length;
    pieces.push(piece);
  }
  if (missing === 0) return pieces;
  throw new CulvertError("CULVERT_BAD_STATE", "bytes that were read are missing");
}

/** By its number, not in a list: a state may claim any number of them. */
function isNeeded(name: string, needed: NeededFrames): boolean {
  const { base, next, acks, waitingBytes, begun } = needed;
  if (name === WAITING_NAME) return waitingBytes > 0;
  const number = Number(name.slice(1));
  if (name === frameName(number)) return number >= base && number < next;
  if (name === ackName(number)) return acks.includes(number);
  if (name !== begunName(number) || begun === undefined) return false;
  return number >= begun.first && number < begun.next;
}
