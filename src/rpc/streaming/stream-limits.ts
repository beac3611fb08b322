import { resolveLimits } from "../../base/index.ts";

/** Every bound of streaming calls. Sizes in bytes, times in the unit of the name. */
export interface StreamCallLimits {
  /**
   * Streaming calls of others, in all and of one peer; more are answered `busy`, or end the last
   * one of whoever has most where those of all are too many.
   */
  readonly callsMax: number;
  readonly callsPerPeerMax: number;
  /** Longest item of a stream, request and reply included. */
  readonly itemBytesMax: number;
  /** Bytes that wait for a slow reader; then the stream is not read any more. */
  readonly queuedBytesHigh: number;
  /** The whole life of a call if its caller does not say, and at most. */
  readonly totalMs: number;
  /** Time for the first message that comes back. */
  readonly firstMs: number;
  /** Time for the first frame of whoever opens a stream. */
  readonly openMs: number;
  /** How long a handler may go on after its signal was aborted. */
  readonly cutOffMs: number;
  /** Time for the other side to end its half, when everything was said. */
  readonly lingerMs: number;
}

/** A call costs its stream, some 2 KiB, and up to 64 KiB or one item of what waits. */
export const STREAM_CALL_LIMITS: StreamCallLimits = Object.freeze({
  callsMax: 1_024,
  callsPerPeerMax: 64,
  itemBytesMax: 2 ** 20,
  queuedBytesHigh: 65_536,
  totalMs: 3_600_000,
  firstMs: 30_000,
  openMs: 10_000,
  cutOffMs: 100,
  lingerMs: 5_000,
});

/** The limits with defaults for what is left out. */
export function resolveStreamCallLimits(given: Partial<StreamCallLimits> = {}): StreamCallLimits {
  return resolveLimits(STREAM_CALL_LIMITS, given);
}
