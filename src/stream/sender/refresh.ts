import type { Instant, Random } from "../../base/index.ts";

/** A frame is put again when this part of its life is over, and up to a fifth of it later. */
export const REFRESH_AFTER = 0.6;

/** A shorter life counts as one of so many seconds, unless no more than it was asked for. */
const LIFE_SECONDS_MIN = 60;

/**
 * The life in the Map by which a frame is put again, in ms: the one that was granted. A Map that
 * grants next to none would have all frames put as fast as the window lets them, for as long as
 * nobody reads: what it forgets is put again when a reader lacks it.
 */
export function refreshedLifeMs(life: {
  readonly grantedMs: number;
  readonly askedSeconds: number;
}): number {
  return Math.max(life.grantedMs, 1_000 * Math.min(life.askedSeconds, LIFE_SECONDS_MIN));
}

/** From when and until when a receipt counts, and when its frame is put again. */
export function receiptTimes(
  receipt: {
    readonly now: Instant;
    readonly grantedSeconds: number;
    readonly askedSeconds: number;
  },
  random: Random,
): { readonly now: Instant; readonly expiresAt: Instant; readonly refreshAt: Instant } {
  const { now, grantedSeconds, askedSeconds } = receipt;
  const grantedMs = grantedSeconds * 1_000;
  const lifeMs = refreshedLifeMs({ grantedMs, askedSeconds });
  const early = REFRESH_AFTER + 0.2 * random.unit();
  return { now, expiresAt: now + grantedMs, refreshAt: now + lifeMs * early };
}
