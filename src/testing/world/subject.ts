import type { Core, SeededRandom } from "../../base/index.ts";
import type { StreamEffect, StreamInput } from "../../stream/exchange/protocol.ts";
import type { Side } from "./faults.ts";

/** What a world asks a core about its stream. */
export interface SubjectProgress {
  /** How much of the own text has been accepted, in this session and before it. */
  readonly writtenBytes: number;
  /** How much of that is in frames, and of those in the Map. */
  readonly framedBytes: number;
  readonly storedBytes: number;
  /** How much of it the peer's application is said to have taken. */
  readonly acknowledgedBytes: number;
  /** Whether that is all that was written; true, too, when nothing was. */
  readonly isAllAcknowledged: boolean;
  /** How much of the peer's text was delivered, and how much of it was taken. */
  readonly deliveredBytes: number;
  readonly takenBytes: number;
  /** Sealed and opened frames that are held in memory. */
  readonly framesInMemory: number;
}

/** What a world has to know of the stream core it runs, besides its inputs and effects. */
export interface Subject extends Core<StreamInput, StreamEffect> {
  /** The position in the peer's text at which this session begins to deliver. */
  readonly readOffset: number;
  /** Whether the journal says that the stream was complete: the core will say nothing more. */
  readonly isOver: boolean;
  /** Whether the application should wait for `drain` before it writes more. */
  readonly isFull: boolean;
  readonly progress: SubjectProgress;
}

/** What a world hands to a core that it starts or restarts. */
export interface SubjectInit {
  readonly side: Side;
  readonly random: SeededRandom;
  /** The journal's head, when this side has run before and left one. */
  readonly head: Uint8Array | undefined;
}

/** Makes the core of one side: called once at the start and once after each crash. */
export type CreateSubject = (init: SubjectInit) => Subject;
