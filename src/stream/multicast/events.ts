import type { CulvertError } from "../../base/index.ts";
import type { ReadableEvents, WritableEvents } from "../../io/typed-events.ts";

/** What a broadcast tells: the name of each event, and what comes with it. */
export interface BroadcastEvents extends WritableEvents {
  /** Nothing of it is kept any more, or it was given up. */
  close: [];
  /** Everything that was written is in the Map. */
  stored: [];
  /** What the broadcast mends by itself, or waits for. */
  warning: [warning: CulvertError];
}

/** What a subscription tells: the name of each event, and what comes with it. */
export interface SubscriptionEvents extends ReadableEvents {
  close: [];
  /** So many frames are gone, behind so many of all bytes that are read; with `onLag: "skip"`. */
  lag: [frames: number, offset: number];
  /** What the subscription mends by itself, or waits for. */
  warning: [warning: CulvertError];
}
