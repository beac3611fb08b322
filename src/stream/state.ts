import type { SavedChain } from "./frame/frame-keys.ts";
import type { ArrivalsStart } from "./receiver/arrivals.ts";
import type { FramerState } from "./sender/framer.ts";
import type { ShortFrame } from "./sender/unacknowledged-frames.ts";

/** What of the writing half survives a restart. Times are Unix milliseconds. */
export interface SenderState {
  readonly framer: FramerState;
  /** The lowest unacknowledged index, and the next one to be sealed. */
  readonly base: number;
  readonly next: number;
  /**
   * Of every unacknowledged frame below this the Map, or its reader, had said that it was there,
   * and it was not to be put again.
   */
  readonly storedBelow: number;
  /** When the first receipt of theirs ends; `Infinity` without one. */
  readonly expiresUnixMs: number;
  readonly acknowledgedBytes: number;
  /** Bytes that were said to be in the Map; 0 where an earlier version has not told. */
  readonly storedBytes: number;
  /** Unacknowledged frames that are not full, the newest of them. */
  readonly short: readonly ShortFrame[];
  readonly endIndex: number | undefined;
  readonly resetIndex: number | undefined;
  /** What the peer is told with it, if not 0. */
  readonly resetCode: number | undefined;
  readonly creditLimit: number | undefined;
  /** Probes that are unacknowledged, or the last of them: as many as may lie beyond a limit. */
  readonly probes: readonly number[];
  /** Of the last frame that was sealed. */
  readonly mark: number;
  /** Chain state at `next`. Secret. */
  readonly chain: Uint8Array;
}

/** Taken bytes that the application cannot use yet. The journal has them in numbered pieces. */
export interface BegunState {
  /** Bytes in all of them: the last below `takenOffset`. */
  readonly length: number;
  /** Number of the first piece, and the one behind the last. */
  readonly first: number;
  readonly next: number;
}

/** What of the reading half survives a restart. */
export interface ReceiverState extends ArrivalsStart {
  readonly begun: BegunState | undefined;
  /** Index and final length of the peer's end, once it was taken. */
  readonly end: { readonly index: number; readonly length: number } | undefined;
  /** Chain state at `next`. Secret. */
  readonly chain: Uint8Array;
}

/** What of our ack chain survives: frames from `stored + 1` on may or may not be in the Map. */
export interface AckWriterState {
  readonly next: number;
  readonly stored: number;
  /** Indexes whose sealed frames are journalled. */
  readonly pending: readonly number[];
  /** Chain state at `next`. Secret. */
  readonly chain: Uint8Array;
}

/** Everything about a stream but its sealed frames, and what waits for one. */
export interface StreamState {
  readonly cellBytes: number;
  readonly sender: SenderState;
  readonly receiver: ReceiverState;
  readonly ackWriter: AckWriterState;
  /** Where the peer's ack chain is read. */
  readonly ackReader: SavedChain;
  /** Root seed (32 bytes, secret) of this side, and root public key of the other. */
  readonly writeSeed: Uint8Array;
  readonly readRoot: Uint8Array;
  /** The stream is over. */
  readonly isDone: boolean;
}

/** What an earlier session knew of the frames that it has left. */
export type LeftFrames = Pick<
  SenderState,
  "base" | "storedBelow" | "expiresUnixMs" | "storedBytes"
>;

/** That alone: the state has keys that nobody should keep. */
export function leftBy({ sender }: StreamState): LeftFrames {
  const { base, storedBelow, expiresUnixMs, storedBytes } = sender;
  return { base, storedBelow, expiresUnixMs, storedBytes };
}
