/** Joins byte arrays into a new one; the inputs are borrowed for the call. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  return joinBytes(parts);
}

/** As `concatBytes`, for more of them than a function takes arguments. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/**
 * A plain array over the same bytes: sockets and stores hand out Buffers of Node, of which a slice
 * is no copy.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const UINT8ARRAY = "[object Uint8Array]";

/**
 * Whether something is a `Uint8Array`: whatever else has a length would be read as bytes, and most
 * of it as zeros. Each realm (of `node:vm`, of a test runner) has a `Uint8Array` of its own.
 */
export function isBytes(given: unknown): given is Uint8Array {
  if (!ArrayBuffer.isView(given)) return false;
  // Those of this realm, which are nearly all, are known at a hundredth of the price.
  return given instanceof Uint8Array || Object.prototype.toString.call(given) === UINT8ARRAY;
}

/** Compares public bytes; for secrets use `equalSecret` of `src/crypto`. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  // A cell is compared whenever it is put again.
  if (a.length >= NATIVE_BYTES && compareNatively !== undefined) return compareNatively(a, b) === 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const compareNatively = globalThis.Buffer?.compare;
/** From here on a call out of JavaScript takes less than the loop. */
const NATIVE_BYTES = 128;

const HEX_DIGITS = Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
/** Bytes that are told in one call: arguments of a function have a limit. */
const HEX_STEP = 1_024;
/** For an id or a hash, which are most of what is written so. */
const ID_BYTES = 32;
const idCodes = new Array<number>(2 * ID_BYTES).fill(0);

/**
 * Lower-case hexadecimal. Keys of tables are made so for every message: of codes they are flat,
 * where text that is put together digit by digit stays a chain of its parts, thirty times as large.
 */
export function toHex(bytes: Uint8Array): string {
  const { length } = bytes;
  if (length > HEX_STEP) {
    return toHex(bytes.subarray(0, HEX_STEP)) + toHex(bytes.subarray(HEX_STEP));
  }
  const codes = length === ID_BYTES ? idCodes : new Array<number>(2 * length);
  for (let i = 0; i < length; i++) {
    const byte = bytes[i] as number;
    codes[2 * i] = HEX_DIGITS[byte >> 4] as number;
    codes[2 * i + 1] = HEX_DIGITS[byte & 15] as number;
  }
  return String.fromCharCode.apply(null, codes);
}

/** @throws RangeError when `text` is not an even number of hexadecimal digits */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new RangeError("not an even number of hexadecimal digits");
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  }
  return bytes;
}

/** The bytes of `text` in UTF-8. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Overwrites secret bytes. JavaScript may have copied them before; this is the best there is. */
export function wipe(bytes: Uint8Array): void {
  bytes.fill(0);
}
