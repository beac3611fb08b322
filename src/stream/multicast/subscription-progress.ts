import type { Instant } from "../../base/index.ts";

/** Numbers about a subscription that are cheap to read at any time. */
export interface SubscriptionProgress {
  /** Bytes handed to the application, and taken by it, in all sessions. */
  readonly deliveredBytes: number;
  readonly takenBytes: number;
  /** Offsets count from the broadcast's first byte: it was joined there, and nothing is lost. */
  readonly isWhole: boolean;
  readonly skippedFrames: number;
  readonly framesInMemory: number;
  readonly isEnded: boolean;
  readonly roundTripMs: number | undefined;
  readonly puts: number;
  readonly gets: number;
  readonly answers: number;
  /**
   * Until when the Map keeps what was not read, by the newest frame that was, if the writer puts
   * nothing again. `Infinity` while no Map has told.
   */
  readonly expiresAt: Instant;
}
