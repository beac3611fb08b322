import { rawMemory } from "../io/memory.ts";

/** What a record has room in: the longest that is filled, with what sealing adds. */
export const BLOCK_BYTES = 32_768;
/** Shorter ones are not worth a block. */
export const BLOCK_FROM_BYTES: number = BLOCK_BYTES / 2;
/** Blocks that are kept for the next records, of all links together. */
const SPARES_MAX = 128;
/** Short records share memory: a piece of its own costs more than all else that is done for one. */
const SLAB_BYTES = 8_192;
const SLAB_SHARE = 8;

const spares: ArrayBuffer[] = [];
let slab = new Uint8Array(0);
let slabAt = 0;

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

/** Zeroed memory for what is short and not kept for long. */
export function shortMemory(bytes: number): Uint8Array {
  if (bytes * SLAB_SHARE > SLAB_BYTES) return new Uint8Array(bytes);
  if (slabAt + bytes > slab.length) {
    slab = new Uint8Array(SLAB_BYTES);
    slabAt = 0;
  }
  slabAt += bytes;
  return slab.subarray(slabAt - bytes, slabAt);
}
