import type { Instant, Random } from "../../base/index.ts";
import type { AckContent } from "../frame/frame.ts";
import type { FrameKeys } from "../frame/frame-keys.ts";
import type { StreamOptions } from "../options.ts";
import type { CoreIo } from "./outcome.ts";

/** What every writer of a chain works with. */
export interface WriterInit extends CoreIo {
  readonly cellBytes: number;
  readonly keys: FrameKeys;
  readonly random: Random;
  /** What is said about the other direction; calling it counts as having said it. */
  readonly acknowledge: () => AckContent;
}

/** What the writer of data needs from the core around it. */
export interface SenderInit extends WriterInit {
  readonly options: StreamOptions;
  /** What a probe says of the ack chains. */
  readonly trail: (now: Instant) => Uint8Array;
  /** The first payload byte of the stream. */
  readonly mode: number;
  /** What of an earlier session waits for a frame. */
  readonly waiting?: Uint8Array | undefined;
}

/** How an acknowledgement was heard. */
export interface Hearing {
  readonly now: Instant;
  /** It is certain to be the latest word of its reader. */
  readonly newest: boolean;
  /** Its reader has asked for the frame at it in vain, for long. */
  readonly isStarved: boolean;
}

/** Whether an acknowledgement was believable. */
export type AcknowledgementVerdict = "taken" | "beyond-sent" | "not-ours";
