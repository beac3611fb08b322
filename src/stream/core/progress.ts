import type { Instant } from "../../base/index.ts";
import type { AckWriter } from "../acks/ack-writer.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { ReceiverCore } from "../receiver/receiver-core.ts";
import type { SenderCore } from "../sender/sender-core.ts";

/**
 * How far a stream is, in both directions. Bytes count from the first one of the stream, earlier
 * sessions included; requests count from the beginning of this session.
 */
export interface StreamProgress {
  /** Ours: bytes that the stream has accepted, those too that it drops when it is given up. */
  readonly writtenBytes: number;
  /** Ours: bytes in numbered frames; durable, too, when the stream has a journal. */
  readonly framedBytes: number;
  /**
   * Ours: bytes that were put into the Map, without a gap from the first one on. It never falls:
   * that some are put again, since their time comes or the peer may lack them, changes nothing.
   * Only a session that begins when the Map has forgotten what was not read has less than the last.
   */
  readonly storedBytes: number;
  /** Ours: bytes that the peer's application has taken. */
  readonly acknowledgedBytes: number;
  /** Everything written so far, and the end if it was, is in the Map. */
  readonly isAllStored: boolean;
  /** Everything written so far, and the end if it was, has been taken by the peer. */
  readonly isAllAcknowledged: boolean;
  /** The peer's: bytes that were handed to this stream's reader. */
  readonly deliveredBytes: number;
  /** The peer's: bytes that the application here has taken, or confirmed. */
  readonly takenBytes: number;
  /** The peer has taken our end, and so all that was before it. */
  readonly isEndTaken: boolean;
  /** All that this side has to say by now, acknowledgements too, is in the Map. */
  readonly isAllTold: boolean;
  /** Our frames that the peer has not acknowledged yet. */
  readonly unacknowledgedFrames: number;
  /** Sealed or opened frames in memory. */
  readonly framesInMemory: number;
  /** Round trip of a request to the Map, smoothed; `undefined` before the first answer. */
  readonly roundTripMs: number | undefined;
  /** Requests made. */
  readonly puts: number;
  readonly gets: number;
  /** Requests that were answered, and those that were not in time, nor since. */
  readonly answers: number;
  readonly timeouts: number;
  /** Cells that came and did not open; each was asked for again. */
  readonly unopened: number;
  /** Frames that were put again because they, or their receipts, were lost. */
  readonly retransmissions: number;
  /** When a frame of the peer was last opened, as `performance.now()` counts. */
  readonly peerHeardAt: Instant | undefined;
  /**
   * Ours: when the first of the unread frames in the Map leaves it, unless it is put again before;
   * `Infinity` when nothing is at risk. Counted when it is asked for.
   */
  readonly expiresAt: Instant;
  /**
   * The peer's: until when the Map keeps at least what was not read, by the newest frame that was:
   * what comes behind it was put later. `Infinity` while no Map has told.
   */
  readonly peerExpiresAt: Instant;
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
    storedBytes: sender.storedBytes,
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
    // Costs a walk over the unacknowledged frames: only for who asks.
    get expiresAt() {
      return sender.earliestExpiry();
    },
    peerExpiresAt: receiver.unreadLife.endsAt,
  };
}
