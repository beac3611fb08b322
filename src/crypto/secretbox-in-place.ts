import { xsalsa20 } from "@noble/ciphers/salsa.js";
import { oneTimeAuth } from "@stablelib/poly1305";
import { concatBytes, wipe } from "../base/index.ts";
import { equalSecret } from "./equal-secret.ts";
import { type CryptoProvider, requireSecretbox, SECRETBOX_TAG_BYTES } from "./provider.ts";

/**
 * Secretbox in JavaScript, computed where its bytes lie. What noble's own leaves behind for each
 * box, the message two or three times, costs a stream of large cells more than it gains:
 * docs/decisions/0047-who-has-a-cell-for-himself-opens-it-there.md.
 */
export const secretboxInPlace: Pick<CryptoProvider, "secretboxSeal" | "secretboxOpen"> = {
  secretboxSeal(key, nonce, plaintext, into) {
    requireSecretbox(key, nonce, plaintext, into);
    const box = into ?? new Uint8Array(SECRETBOX_TAG_BYTES + plaintext.length);
    const place = box.subarray(SECRETBOX_TAG_BYTES);
    place.set(plaintext);
    const text = inWords(place);
    const authKey = beginStream(key, nonce);
    xorStream(key, nonce, text);
    box.set(oneTimeAuth(authKey, text));
    if (text !== place) place.set(text);
    wipe(head);
    return box;
  },
  secretboxOpen(key, nonce, box, { isInPlace = false } = {}) {
    requireSecretbox(key, nonce);
    if (box.length < SECRETBOX_TAG_BYTES) return undefined;
    const ciphertext = box.subarray(SECRETBOX_TAG_BYTES);
    const tag = oneTimeAuth(beginStream(key, nonce), ciphertext);
    let text: Uint8Array | undefined;
    if (equalSecret(tag, box.subarray(0, SECRETBOX_TAG_BYTES))) {
      // The slice of a Buffer would be a view.
      text = isInPlace ? inWords(ciphertext) : concatBytes(ciphertext);
      xorStream(key, nonce, text);
    }
    wipe(head);
    return text;
  },
};

/** The first block of a key stream: the key of the tag, and what the message begins with. */
const head = new Uint8Array(64);
const AUTH_KEY_BYTES = 32;

/** Leaves the first block in `head`, and gives the part of it that authenticates the box. */
function beginStream(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  head.fill(0);
  xsalsa20(key, nonce, head, head);
  return head.subarray(0, AUTH_KEY_BYTES);
}

/** XORs `text` with the stream that has been begun. */
function xorStream(key: Uint8Array, nonce: Uint8Array, text: Uint8Array): void {
  const inHead = Math.min(text.length, head.length - AUTH_KEY_BYTES);
  for (let i = 0; i < inHead; i++) {
    text[i] = (text[i] as number) ^ (head[AUTH_KEY_BYTES + i] as number);
  }
  const rest = text.subarray(inHead);
  if (rest.length > 0) xsalsa20(key, nonce, rest, rest, 1);
}

/** The same bytes where noble can take them by words of four: a copy, if they lie across. */
function inWords(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 4 === 0 ? bytes : concatBytes(bytes);
}
