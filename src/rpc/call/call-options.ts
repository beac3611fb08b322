import {
  requireCallback,
  requireObject,
  requireSignal,
  requireText,
  requireTime,
} from "../../base/index.ts";
import type { CallOptions } from "./handlers.ts";

/** A call that was told nothing. */
export const NO_OPTIONS: CallOptions = Object.freeze({});

/** @throws TypeError, RangeError for what does not say how to call */
export function requireCallOptions(options: CallOptions): void {
  if (options === NO_OPTIONS) return;
  requireObject("options", options);
  const { signal, totalMs, firstMs, betweenMs, meta, onLate } = options;
  requireSignal(signal);
  requireTime("totalMs", totalMs);
  requireTime("firstMs", firstMs);
  requireTime("betweenMs", betweenMs);
  requireCallback("onLate", onLate);
  if (meta === undefined) return;
  requireObject("meta", meta);
  for (const [name, text] of Object.entries(meta)) requireText(`"${name}" of meta`, text);
}
