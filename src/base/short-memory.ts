/** What is short shares memory: a piece of its own costs more than most that is done with it. */
const SLAB_BYTES = 16_384;
const SLAB_SHARE = 8;

let slab = new Uint8Array(0);
let slabAt = 0;

/**
 * Zeroed memory for what is sent, or done with, soon: whoever keeps a piece of it keeps 16 KiB.
 * What is longer than 2 KiB has its own.
 */
export function shortMemory(bytes: number): Uint8Array {
  if (bytes * SLAB_SHARE > SLAB_BYTES) return new Uint8Array(bytes);
  if (slabAt + bytes > slab.length) {
    slab = new Uint8Array(SLAB_BYTES);
    slabAt = 0;
  }
  slabAt += bytes;
  return slab.subarray(slabAt - bytes, slabAt);
}
