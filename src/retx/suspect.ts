import type { Instant } from "../base/index.ts";

/** A suspect frame, and when the Map was last known to have it: `-Infinity` if it never was. */
export interface Suspect {
  readonly index: number;
  readonly storedAt: Instant;
}

/**
 * By index those that were never stored; then in turn, for where lives are so short that the window
 * is always full of frames whose time has come again, the others would never be put.
 */
export function comesFirst(a: Suspect, b: Suspect): boolean {
  return a.storedAt < b.storedAt || (a.storedAt === b.storedAt && a.index < b.index);
}
