/** Joins byte arrays into a new one; the inputs are borrowed for the call. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
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

/** Compares public bytes; for secrets use `equalSecret` of `src/crypto`. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let at = 0;
  // Word by word where both have the same alignment: a cell is compared whenever it is put again.
  if (a.length >= WORDWISE_BYTES && (a.byteOffset - b.byteOffset) % 4 === 0) {
    for (; (a.byteOffset + at) % 4 !== 0; at++) if (a[at] !== b[at]) return false;
    const count = (a.length - at) >> 2;
    const x = new Int32Array(a.buffer, a.byteOffset + at, count);
    const y = new Int32Array(b.buffer, b.byteOffset + at, count);
    for (let i = 0; i < count; i++) if (x[i] !== y[i]) return false;
    at += 4 * count;
  }
  for (; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** From here on the views of words are worth making. */
const WORDWISE_BYTES = 256;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** The digits of an id or a hash, which are most of what is written so, in one array. */
const DIGITS_OF_ID = 64;
const digits: number[] = new Array<number>(DIGITS_OF_ID).fill(0);
const HEX_CODES = Uint8Array.from(HEX.join(""), (digit) => digit.charCodeAt(0));

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  if (2 * bytes.length === DIGITS_OF_ID) return hexOfId(bytes);
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** As above, in a third of the time: keys of tables are made for every message. */
function hexOfId(bytes: Uint8Array): string {
  for (let i = 0; i < bytes.length; i++) {
    const at = 2 * (bytes[i] as number);
    digits[2 * i] = HEX_CODES[at] as number;
    digits[2 * i + 1] = HEX_CODES[at + 1] as number;
  }
  return String.fromCharCode.apply(null, digits);
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
