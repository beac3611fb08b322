import { randomFillSync } from "node:crypto";
import type { Random } from "../base/index.ts";

/** One call of the system costs about as much as a seal: small requests share a pool. */
const POOL_BYTES = 16_384;
const POOLED_MAX = 256;

const pool = new Uint8Array(POOL_BYTES);
const view = new DataView(pool.buffer);
let used = POOL_BYTES;

/**
 * Randomness of the operating system, fit for keys and nonces. What has been given out is wiped
 * from the pool: no byte is given twice, and none can be found afterwards.
 */
export const systemRandom: Random = {
  bytes(length) {
    if (length > POOLED_MAX) return randomFillSync(new Uint8Array(length));
    const at = reserve(length);
    const bytes = pool.slice(at, at + length);
    pool.fill(0, at, at + length);
    return bytes;
  },
  unit() {
    const at = reserve(8);
    const [high, low] = [view.getUint32(at), view.getUint32(at + 4)];
    view.setBigUint64(at, 0n);
    return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
  },
};

function reserve(length: number): number {
  if (used + length > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  used += length;
  return used - length;
}
