import type { Reader } from "../codec/index.ts";

/** The rest of a message, which is a host key: there is no empty one. */
export function readHostKey(body: Reader): Uint8Array {
  if (body.remaining === 0) body.refuse("hostKey", "is empty");
  return body.rest();
}
