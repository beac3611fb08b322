import { requireAmount, requireObject } from "../base/index.ts";

/** How long a close waits for what is open; with 0 it does not. */
export interface CloseOptions {
  readonly drainMs?: number;
}

/** @throws TypeError, RangeError for what does not say how long to wait */
export function requireCloseOptions(options: CloseOptions): void {
  requireObject("options", options);
  if (options.drainMs !== undefined) requireAmount("drainMs", options.drainMs);
}
