import { resolveLimits } from "../../base/index.ts";
import { PATH_DEFAULTS, type PathOptions } from "../circuit/circuit-pool.ts";
import { EPOCH_MS } from "../packet/key-ring.ts";

/** How one stream goes through onion circuits. */
export interface OnionCarrierOptions extends PathOptions {
  /** Requests that the stream has open at once; the budget of an exit follows from it. */
  readonly window: number;
  /**
   * Frames of the stream that one exit sees in any span of `budgetMs`: `⌈window / paths⌉ + 1` if
   * zero, any number if `Infinity`.
   */
  readonly framesPerExit: number;
  readonly budgetMs: number;
  /** Time for an answer, beyond the wait that a get asks for. */
  readonly answerMs: number;
  /** After so long without a request the circuits end: a stream that is over leaves none. */
  readonly idleMs: number;
  /** After so long without a first request, prepared circuits are not replaced any more. */
  readonly preparedMs: number;
}

/** Tuned for a stream with its default window; one carrier for each stream. */
export const ONION_CARRIER_DEFAULTS: OnionCarrierOptions = Object.freeze({
  ...PATH_DEFAULTS,
  window: 64,
  framesPerExit: 0,
  budgetMs: EPOCH_MS,
  answerMs: 30_000,
  idleMs: 10_000,
  preparedMs: 3_600_000,
});

/**
 * The options with defaults for what is left out.
 *
 * @throws RangeError
 */
export function resolveOnionCarrierOptions(
  given: Partial<OnionCarrierOptions> = {},
): OnionCarrierOptions {
  const { framesPerExit } = given;
  if (framesPerExit !== Number.POSITIVE_INFINITY) return finite(given);
  return { ...finite({ ...given, framesPerExit: 0 }), framesPerExit };
}

function finite(given: Partial<OnionCarrierOptions>): OnionCarrierOptions {
  return resolveLimits(ONION_CARRIER_DEFAULTS, given, "spares", "coverMs", "framesPerExit");
}

/** Those that are of the circuits, which a pool takes. */
export function pathsOf(options: OnionCarrierOptions): PathOptions {
  const { paths, spares, retryMs, retryMsMax, waitMs, coverMs } = options;
  return { paths, spares, retryMs, retryMsMax, waitMs, coverMs };
}
