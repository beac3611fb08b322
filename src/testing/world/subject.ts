import type { Core, SeededRandom } from "../../base/index.ts";
import type { StreamEffect, StreamInput } from "../../stream/protocol.ts";
import type { Side } from "./faults.ts";

/** What a world has to know of the stream core it runs, besides its inputs and effects. */
export interface Subject extends Core<StreamInput, StreamEffect> {
  /** The position in the peer's text at which this session begins to deliver. */
  readonly readOffset: number;
  /** How much of the own text has been accepted, before this session and in it. */
  readonly writeOffset: number;
  /** Whether the journal says that the stream was complete: the core will say nothing more. */
  readonly isOver?: boolean;
  /** Whether the application should wait for `drain` before it writes more. */
  readonly isFull?: boolean;
  /** Whether everything that was written is acknowledged; nothing is, when nothing was written. */
  readonly isAcknowledged: boolean;
  /** How much of the own text the core takes for acknowledged. */
  readonly acknowledgedOffset?: number;
  /** Sealed and opened cells held in memory now. */
  readonly heldCells?: number;
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
