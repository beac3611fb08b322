import { concatBytes, utf8 } from "../../base/index.ts";
import { crypto } from "../../crypto/index.ts";

/** Names a store to others, by its secret, which it does not tell. */
export function markOf(secret: Uint8Array): Uint8Array {
  return crypto()
    .sha256(concatBytes(utf8("culvert/v1/store"), secret))
    .slice(0, 16);
}
