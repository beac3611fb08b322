/** What is short shares memory: a piece of its own costs more than most that is done with it. */
const SLAB_BYTES = 8_192;
const SLAB_SHARE = 8;

let slab = new Uint8Array(0);
let slabAt = 0;

/** Memory with whatever was in it before: every byte has to be written before any is read. */
export function rawMemory(bytes: number): ArrayBuffer {
  const { buffer } = Buffer.allocUnsafeSlow(bytes);
  return buffer instanceof ArrayBuffer ? buffer : new ArrayBuffer(bytes);
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
