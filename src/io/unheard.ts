import { getEventListeners } from "node:events";

/** Whether no event listener waits for the abort of a signal. */
export function isUnheard(signal: AbortSignal): boolean {
  return getEventListeners(signal, "abort").length === 0;
}
