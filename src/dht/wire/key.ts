import { assert, requireBytes } from "../../base/index.ts";

/** Bytes of a key and of a node id: they share one space. */
export const KEY_BYTES = 32;

/** Bits of a key. */
export const KEY_BITS: number = 8 * KEY_BYTES;

/**
 * A key as text of 32 characters, each one byte: a third of the memory of a `Uint8Array`, a key for
 * maps, and in the order of its bytes. Only inside this room; at its borders keys are bytes.
 */
export type KeyText = string & { readonly __keyText?: never };

/** The text of `bytes`, of any length; keys have 32. */
export function byteText(bytes: Uint8Array): KeyText {
  return Reflect.apply(String.fromCharCode, undefined, bytes);
}

/** The bytes behind a {@link KeyText}, fresh. */
export function textBytes(text: KeyText): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/**
 * The key in `bytes`.
 *
 * @throws TypeError for what are no bytes
 * @throws RangeError for another length
 */
export function keyOf(bytes: Uint8Array): KeyText {
  requireBytes("a key", bytes, KEY_BYTES);
  return byteText(bytes);
}

/** The bit at `depth` of a key, the most significant first. */
export function bitAt(key: KeyText, depth: number): number {
  return (key.charCodeAt(depth >> 3) >> (7 - (depth & 7))) & 1;
}

/** How many leading bits two keys share; 256 when they are the same. */
export function sharedBits(a: KeyText, b: KeyText): number {
  for (let at = 0; at < KEY_BYTES; at++) {
    const difference = a.charCodeAt(at) ^ b.charCodeAt(at);
    if (difference !== 0) return 8 * at + Math.clz32(difference) - 24;
  }
  return KEY_BITS;
}

/** The leading bits of a key that {@link headOf} gives: what fits a small integer. */
export const HEAD_BITS = 30;

/** The leading 30 bits of a key. The XOR of two of them orders all but the closest relatives. */
export function headOf(key: KeyText): number {
  const [a, b] = [key.charCodeAt(0), key.charCodeAt(1)];
  return (a << 22) | (b << 14) | (key.charCodeAt(2) << 6) | (key.charCodeAt(3) >> 2);
}

/** The distance as a fraction of the whole space, from 0 to below 1, by its leading 48 bits. */
export function distanceFraction(a: KeyText, b: KeyText): number {
  const high =
    ((a.charCodeAt(0) ^ b.charCodeAt(0)) << 16) |
    ((a.charCodeAt(1) ^ b.charCodeAt(1)) << 8) |
    (a.charCodeAt(2) ^ b.charCodeAt(2));
  const low =
    ((a.charCodeAt(3) ^ b.charCodeAt(3)) << 16) |
    ((a.charCodeAt(4) ^ b.charCodeAt(4)) << 8) |
    (a.charCodeAt(5) ^ b.charCodeAt(5));
  return (high * 2 ** 24 + low) / 2 ** 48;
}

/** Negative when `a` is closer to `target` than `b` is, positive when it is further away. */
export function compareDistance(target: KeyText, a: KeyText, b: KeyText): number {
  for (let at = 0; at < KEY_BYTES; at++) {
    const char = target.charCodeAt(at);
    const order = (a.charCodeAt(at) ^ char) - (b.charCodeAt(at) ^ char);
    if (order !== 0) return order;
  }
  return 0;
}

/** A key that shares exactly the first `depth` bits with `key`; what follows is from `random`. */
export function keyBeside(key: KeyText, depth: number, random: Uint8Array): KeyText {
  const bytes = textBytes(key);
  assert(depth < KEY_BITS && random.length === KEY_BYTES, "there is a bit to differ in");
  const at = depth >> 3;
  const bit = 0x80 >> (depth & 7);
  const below = bit - 1;
  const byte = bytes[at] ?? 0;
  bytes[at] = ((byte ^ bit) & ~below) | ((random[at] ?? 0) & below);
  bytes.set(random.subarray(at + 1), at + 1);
  return byteText(bytes);
}
