import { SeededRandom } from "../../../src/base/index.ts";
import type { MapRecord } from "../../../src/mapservice/index.ts";

export const random = new SeededRandom(1);

/** A record that nobody verifies. */
export function recordOf(address: Uint8Array): MapRecord {
  const signature = random.bytes(64);
  return { address, signature, seq: 1, ttlSeconds: 60, payload: random.bytes(40) };
}
