import { isBetween, shown } from "../base/index.ts";
import { requireYesOrNo } from "./openable.ts";

/** How a stream behaves; every field has a default in {@link DEFAULTS}. */
export interface StreamOptions {
  /** Puts, and gets, that may be under way at once. */
  readonly window: number;
  /** Mean gap between two puts, and between two gets, in ms; exponentially spread. 0: no pacing. */
  readonly paceMeanMs: number;
  /** Frames that may be written ahead of the peer's acknowledgement. */
  readonly unacknowledgedFramesMax: number;
  /** Frames that are fetched ahead of what the application has taken. */
  readonly receiveFramesMax: number;
  /** Frames of credit that this reader announces. */
  readonly creditFrames: number;
  /** Bytes accepted before the application is asked to wait. 0: of 16 frames, 256 KiB at most. */
  readonly writeBufferBytes: number;
  /** Seconds for which the Map is asked to keep a cell. */
  readonly ttlSeconds: number;
  /** How long the Map may hold a get for an empty place, in ms. */
  readonly getWaitMs: number;
  /** Longest gap between two questions for the next frame of a quiet stream, in ms. */
  readonly quietAskMsMax: number;
  /** Longest delay of an acknowledgement, in ms. */
  readonly ackDelayMsMax: number;
  /** Frames after which an acknowledgement is sent without delay. */
  readonly ackEveryFrames: number;
  /** RTO before the first measurement, in ms. */
  readonly rtoInitialMs: number;
  /** Whether journal effects are wanted; without them frames stay in memory only. */
  readonly durable: boolean;
  /** Send a partly filled frame although another one is under way (TCP_NODELAY). */
  readonly noDelay: boolean;
  /** Silence of the peer, in ms, after which the stream fails; 0: never. */
  readonly peerTimeoutMs: number;
}

/**
 * The defaults, tuned for cells of 1 to 32 KiB and round trips from a millisecond to ten seconds.
 * docs/LIMITS.md says what each one costs.
 */
export const DEFAULTS: StreamOptions = Object.freeze({
  window: 64,
  paceMeanMs: 0,
  unacknowledgedFramesMax: 208,
  receiveFramesMax: 224,
  creditFrames: 0xffff,
  writeBufferBytes: 0,
  ttlSeconds: 7 * 24 * 3600,
  getWaitMs: 60_000,
  quietAskMsMax: 12_000,
  ackDelayMsMax: 1_000,
  ackEveryFrames: 8,
  rtoInitialMs: 3_000,
  durable: false,
  noDelay: false,
  peerTimeoutMs: 0,
});

/** How long a rationed get waits at the Map, in mean gaps. */
const PACED_WAIT_GAPS = 64;

/** Frames that may be written ahead when the journal keeps them on disk. */
const DURABLE_UNACKNOWLEDGED_FRAMES_MAX = 0xffff;

/** A character may come in so many frames, and a reader of text takes none of them before all. */
const FRAMES_MIN = 4;

/** Frames that may be written ahead at the very most, whatever the options say. */
export const UNACKNOWLEDGED_FRAMES_CEILING: number = 2 ** 20;

/**
 * Checks and completes options; the caller's object is left alone.
 *
 * @throws RangeError for a value outside its range
 */
export function resolveOptions(given: Partial<StreamOptions> = {}): StreamOptions {
  const durable = given.durable ?? DEFAULTS.durable;
  const options: StreamOptions = {
    ...DEFAULTS,
    ...(durable ? { unacknowledgedFramesMax: DURABLE_UNACKNOWLEDGED_FRAMES_MAX } : {}),
    ...known(DEFAULTS, given),
  };
  wholeInRange("window", options.window, 1, 1_024);
  inRange("paceMeanMs", options.paceMeanMs, 0, 86_400_000);
  const ceiling = UNACKNOWLEDGED_FRAMES_CEILING;
  wholeInRange("unacknowledgedFramesMax", options.unacknowledgedFramesMax, FRAMES_MIN, ceiling);
  wholeInRange("receiveFramesMax", options.receiveFramesMax, 2, 2 ** 16);
  wholeInRange("creditFrames", options.creditFrames, FRAMES_MIN, 0xffff);
  wholeInRange("writeBufferBytes", options.writeBufferBytes, 0, 2 ** 30);
  wholeInRange("ttlSeconds", options.ttlSeconds, 1, 2 ** 32 - 1);
  inRange("getWaitMs", options.getWaitMs, 1, 3_600_000);
  inRange("quietAskMsMax", options.quietAskMsMax, 1, 3_600_000);
  inRange("ackDelayMsMax", options.ackDelayMsMax, 0, 600_000);
  wholeInRange("ackEveryFrames", options.ackEveryFrames, 1, 112);
  inRange("rtoInitialMs", options.rtoInitialMs, 1, 60_000);
  inRange("peerTimeoutMs", options.peerTimeoutMs, 0, Number.MAX_SAFE_INTEGER);
  requireYesOrNo({ durable: options.durable, noDelay: options.noDelay });
  return Object.freeze(options);
}

/** How long a get waits at the Map; a rationed one, until its frame can have come. */
export function waitMsOf(options: Pick<StreamOptions, "getWaitMs" | "paceMeanMs">): number {
  return Math.max(options.getWaitMs, PACED_WAIT_GAPS * options.paceMeanMs);
}

/** The given options that exist and have a value. */
export function known<T extends object>(defaults: T, given: Partial<T>): Partial<T> {
  const entries = Object.entries(given).filter(
    ([name, value]) => value !== undefined && Object.hasOwn(defaults, name),
  );
  return Object.fromEntries(entries) as Partial<T>;
}

/** @throws RangeError for a number that is not between these, both included */
export function inRange(name: string, value: number, min: number, max: number): void {
  if (!isBetween(value, min, max)) {
    throw new RangeError(`${name} must be between ${min} and ${max}, not ${shown(value)}`);
  }
}

/** @throws RangeError for a number that is not between these, or has a fraction */
export function wholeInRange(name: string, value: number, min: number, max: number): void {
  inRange(name, value, min, max);
  if (value % 1 !== 0) throw new RangeError(`${name} must be a whole number, not ${value}`);
}
