import type { Instant } from "../base/index.ts";
import type { AckWriter } from "./ack-writer.ts";
import type { Exchange } from "./exchange.ts";
import type { ReceiverCore } from "./receiver-core.ts";
import type { SenderCore } from "./sender-core.ts";

/** Numbers about a stream that are cheap to read at any time; docs/STREAM.md explains them. */
export interface StreamProgress {
  readonly writtenBytes: number;
  readonly framedBytes: number;
  /** Bytes from the first on that are in the Map without a gap; counted when it is asked for. */
  readonly storedBytes: number;
  readonly acknowledgedBytes: number;
  readonly isAllStored: boolean;
  readonly isAllAcknowledged: boolean;
  readonly deliveredBytes: number;
  readonly takenBytes: number;
  readonly isEndTaken: boolean;
  /** All that this side has to say by now, acknowledgements too, is in the Map. */
  readonly isAllTold: boolean;
  readonly unacknowledgedFrames: number;
  /** Sealed or opened frames in memory. */
  readonly framesInMemory: number;
  readonly roundTripMs: number | undefined;
  readonly puts: number;
  readonly gets: number;
  readonly answers: number;
  readonly timeouts: number;
  readonly retransmissions: number;
  /** When a frame of the peer was last opened. */
  readonly peerHeardAt: Instant | undefined;
  /**
   * When the first of the unread frames in the Map leaves it; `Infinity` when nothing is at risk.
   * Counted when it is asked for.
   */
  readonly expiresAt: Instant;
}

/** The parts of a stream that have something to tell. */
export interface ProgressParts {
  readonly exchange: Exchange;
  readonly sender: SenderCore;
  readonly receiver: ReceiverCore;
  readonly ackWriter: AckWriter;
  readonly peerHeardAt: Instant | undefined;
}

/** Gathers the numbers of one stream. */
export function progressOf(parts: ProgressParts): StreamProgress {
  const { exchange, sender, receiver, ackWriter, peerHeardAt } = parts;
  return {
    ...exchange.counts,
    writtenBytes: sender.writtenBytes,
    framedBytes: sender.framedBytes,
    // Costs a walk over the unacknowledged frames: only for who asks.
    get storedBytes() {
      return sender.storedBytes;
    },
    acknowledgedBytes: sender.acknowledgedBytes,
    isAllStored: sender.milestones.isAllStored,
    isAllAcknowledged: sender.milestones.isAllAcknowledged,
    deliveredBytes: receiver.deliveredBytes,
    takenBytes: receiver.takenBytes,
    isEndTaken: sender.isEndTaken,
    isAllTold: sender.milestones.isAllStored && ackWriter.isSettled,
    unacknowledgedFrames: sender.unacknowledgedFrames,
    framesInMemory: sender.residentFrames + receiver.heldFrames,
    roundTripMs: exchange.rto.meanMs,
    retransmissions: sender.retransmissions,
    peerHeardAt,
    get expiresAt() {
      return sender.earliestExpiry();
    },
  };
}
