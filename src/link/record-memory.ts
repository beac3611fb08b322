import { rawMemory } from "../io/memory.ts";

/** What a record has room in: the longest that is filled, with what sealing adds. */
export const BLOCK_BYTES = 32_768;
/** Shorter ones are not worth a block. */
export const BLOCK_FROM_BYTES: number = BLOCK_BYTES / 2;
/** Blocks that are kept for the next records, of all links together. */
const SPARES_MAX = 128;
const spares: ArrayBuffer[] = [];

/**
 * A block for a record, with whatever was in it before. Fresh memory for each record would make the
 * garbage collector the busiest part of a transfer.
 */
export function takeBlock(): ArrayBuffer {
  return spares.pop() ?? rawMemory(BLOCK_BYTES);
}

/** Gives a block back that nobody reads or writes any more. */
export function giveBlock(block: ArrayBufferLike): void {
  if (block instanceof ArrayBuffer && spares.length < SPARES_MAX) spares.push(block);
}
