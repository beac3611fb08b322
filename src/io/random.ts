import { randomFillSync } from "node:crypto";
import type { Random } from "../base/index.ts";

/** Randomness of the operating system, fit for keys and nonces. */
export const systemRandom: Random = {
  bytes: (length) => randomFillSync(new Uint8Array(length)),
  unit() {
    const [high = 0, low = 0] = randomFillSync(new Uint32Array(2));
    return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
  },
};
