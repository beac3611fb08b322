import { wipe } from "../base/index.ts";
import { crypto } from "./select.ts";

/** Messages up to this length are laid out where the last one was. */
const ROOM_BYTES_MAX = 131_072;

/**
 * SHA-512 of the parts, one after the other: what makes and binds the nonce of a signature. They
 * are laid out in one place for all of them, and wiped: memory off the heap for each message costs
 * more than its hash when the message is short, and the collector's attention when it is long.
 */
export function sha512Of(...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (room.length < length) room = new Uint8Array(length);
  const message = room.subarray(0, length);
  let at = 0;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  const hash = crypto().sha512(message);
  wipe(message);
  if (length > ROOM_BYTES_MAX) room = NOTHING;
  return hash;
}

const NOTHING = new Uint8Array(0);
let room: Uint8Array = NOTHING;
