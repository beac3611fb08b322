import { rawMemory } from "../../io/memory.ts";

/** The longest record that is filled, with what sealing adds, has room in the largest block. */
export const BLOCK_BYTES = 32_768;

/**
 * Sizes of blocks. The smaller one has room for a record of the Map, and for the cells of a request
 * through a circuit: in a busy network most records are one of these.
 */
const SIZES = [12_288, BLOCK_BYTES] as const;

/**
 * Blocks of each size that are kept for the next records, of all links together. A fast transfer
 * over TCP has some 400 of them on their way at once, and would get fresh ones for the rest.
 */
const SPARES_MAX = 512;
const spares: readonly ArrayBuffer[][] = SIZES.map(() => []);

/**
 * A block for so many bytes that would fill at least half of it, with whatever was in it before;
 * `undefined` when there is none of such a size. Fresh memory for each record would make the
 * garbage collector the busiest part of a transfer.
 */
export function takeBlock(bytes: number): ArrayBuffer | undefined {
  const at = SIZES.findIndex((size) => bytes <= size && 2 * bytes >= size);
  const size = SIZES[at];
  return size === undefined ? undefined : (spares[at]?.pop() ?? rawMemory(size));
}

/** Gives a block back that nobody reads or writes any more; other memory is left alone. */
export function giveBlock(block: ArrayBufferLike): void {
  if (!(block instanceof ArrayBuffer)) return;
  const kept = spares[SIZES.indexOf(block.byteLength as (typeof SIZES)[number])];
  if (kept !== undefined && kept.length < SPARES_MAX) kept.push(block);
}
