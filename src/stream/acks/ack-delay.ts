import type { Exchange } from "../exchange/exchange.ts";
import type { StreamOptions } from "../options.ts";

/**
 * An acknowledgement waits at least this long for company, in ms: as long as that of a TCP, and as
 * 32 frames need whose curves are computed in JavaScript.
 */
export const ACK_DELAY_MS_MIN = 40;

/** How long an acknowledgement may wait for company, in ms. */
export function ackDelayMs(options: StreamOptions, exchange: Exchange): number {
  const quarter = (exchange.rto.meanMs ?? options.rtoInitialMs) / 4;
  const scarcity = 4 * options.paceMeanMs;
  const delay = Math.min(Math.max(quarter, ACK_DELAY_MS_MIN), options.ackDelayMsMax);
  return Math.max(delay, scarcity);
}
