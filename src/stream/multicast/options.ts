import { requireOneOf } from "../../base/index.ts";
import {
  DEFAULTS,
  inRange,
  known,
  resolveOptions,
  type StreamOptions,
  wholeInRange,
} from "../options.ts";

/** How a broadcast behaves; every field has a default in {@link BROADCAST_DEFAULTS}. */
export interface BroadcastOptions
  extends Pick<
    StreamOptions,
    | "window"
    | "paceMeanMs"
    | "writeBufferBytes"
    | "ttlSeconds"
    | "getWaitMs"
    | "rtoInitialMs"
    | "durable"
    | "noDelay"
  > {
  /** How long a frame is kept, put again in time, and repaired; may be `Infinity`. */
  readonly retainSeconds: number;
  /** How many of the newest frames are kept at most. */
  readonly retainFrames: number;
  /** A kept frame is put again at least this often, lest the Map has lost it; 0: only in time. */
  readonly refreshSeconds: number;
  /** Frames without a receipt; then the writer waits. */
  readonly unstoredFramesMax: number;
  /** Readers whose repair chains are followed. */
  readonly repairReadersMax: number;
  /** How often one reader may ask, in ms. */
  readonly repairEveryMs: number;
  /** Frames that are put again for one question. */
  readonly repairFramesMax: number;
}

/** The defaults: a week of the newest thousand frames. docs/LIMITS.md says what each one costs. */
export const BROADCAST_DEFAULTS: BroadcastOptions = Object.freeze({
  window: DEFAULTS.window,
  paceMeanMs: DEFAULTS.paceMeanMs,
  writeBufferBytes: DEFAULTS.writeBufferBytes,
  ttlSeconds: DEFAULTS.ttlSeconds,
  getWaitMs: DEFAULTS.getWaitMs,
  rtoInitialMs: DEFAULTS.rtoInitialMs,
  durable: false,
  noDelay: false,
  retainSeconds: 7 * 24 * 3600,
  retainFrames: 1_024,
  refreshSeconds: 24 * 3600,
  unstoredFramesMax: 256,
  repairReadersMax: 64,
  repairEveryMs: 10_000,
  repairFramesMax: 32,
});

/** Frames that are kept when the journal keeps them on disk. */
const DURABLE_RETAIN_FRAMES = 0xffff;

/** What a reader does about frames that are gone for good. */
export type LagPolicy = "error" | "skip";

/** How a subscription behaves; every field has a default in {@link SUBSCRIPTION_DEFAULTS}. */
export interface SubscriptionOptions
  extends Pick<
    StreamOptions,
    | "window"
    | "paceMeanMs"
    | "receiveFramesMax"
    | "ttlSeconds"
    | "getWaitMs"
    | "quietAskMsMax"
    | "rtoInitialMs"
    | "durable"
  > {
  /** Whether lost frames end the subscription, or are passed over. */
  readonly onLag: LagPolicy;
  /** How long a frame may be missing while later ones are there, in ms. */
  readonly gapLimitMs: number;
}

/** The defaults: patient, and strict about what is lost. */
export const SUBSCRIPTION_DEFAULTS: SubscriptionOptions = Object.freeze({
  window: DEFAULTS.window,
  paceMeanMs: DEFAULTS.paceMeanMs,
  receiveFramesMax: DEFAULTS.receiveFramesMax,
  ttlSeconds: DEFAULTS.ttlSeconds,
  getWaitMs: DEFAULTS.getWaitMs,
  quietAskMsMax: DEFAULTS.quietAskMsMax,
  rtoInitialMs: DEFAULTS.rtoInitialMs,
  durable: false,
  onLag: "error",
  gapLimitMs: 600_000,
});

/**
 * Checks and completes the options of a broadcast; the caller's object is left alone.
 *
 * @throws RangeError for a value outside its range
 */
export function resolveBroadcastOptions(given: Partial<BroadcastOptions> = {}): BroadcastOptions {
  const isDurable = given.durable ?? BROADCAST_DEFAULTS.durable;
  const options = {
    ...BROADCAST_DEFAULTS,
    ...(isDurable ? { retainFrames: DURABLE_RETAIN_FRAMES } : {}),
    ...known(BROADCAST_DEFAULTS, given),
  };
  resolveOptions(options); // for the ranges of what both kinds of streams have
  inRange("retainSeconds", options.retainSeconds, 1, Number.POSITIVE_INFINITY);
  wholeInRange("retainFrames", options.retainFrames, 1, 2 ** 20);
  wholeInRange("refreshSeconds", options.refreshSeconds, 0, 2 ** 32 - 1);
  wholeInRange("unstoredFramesMax", options.unstoredFramesMax, 1, 2 ** 16);
  wholeInRange("repairReadersMax", options.repairReadersMax, 0, 1_024);
  inRange("repairEveryMs", options.repairEveryMs, 1, 86_400_000);
  wholeInRange("repairFramesMax", options.repairFramesMax, 1, 113);
  return Object.freeze(options);
}

/**
 * Checks and completes the options of a subscription; the caller's object is left alone.
 *
 * @throws RangeError for a value outside its range
 */
export function resolveSubscriptionOptions(
  given: Partial<SubscriptionOptions> = {},
): SubscriptionOptions {
  const options = { ...SUBSCRIPTION_DEFAULTS, ...known(SUBSCRIPTION_DEFAULTS, given) };
  resolveOptions(options);
  inRange("gapLimitMs", options.gapLimitMs, 1, Number.MAX_SAFE_INTEGER);
  requireOneOf("onLag", options.onLag, ["error", "skip"]);
  return Object.freeze(options);
}
