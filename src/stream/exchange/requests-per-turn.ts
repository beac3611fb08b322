/**
 * Puts and gets before other events have their turn: each is derived, sealed and signed, which with
 * curves in JavaScript takes some 0.2 ms, and a window of 64 would take them all at once.
 */
export const REQUESTS_PER_TURN = 4;

/** Cells of so many bytes are sealed in that time, too; longer ones take more of it. */
const FULL_TURN_CELL_BYTES = 8_192;

/** Puts and gets in one turn, for cells of this length. */
export function requestsPerTurn(cellBytes: number): number {
  const requests = Math.floor((REQUESTS_PER_TURN * FULL_TURN_CELL_BYTES) / cellBytes);
  return Math.min(Math.max(requests, 1), REQUESTS_PER_TURN);
}
