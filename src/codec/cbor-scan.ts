import { CulvertError, type ErrorCode } from "../base/index.ts";

/** Limits of a CBOR document. */
export interface CborLimits {
  /** Longest document, in bytes. */
  readonly maxBytes: number;
  /** Deepest nesting of arrays and maps. */
  readonly maxDepth: number;
  /** The error that a refused document raises. */
  readonly code: ErrorCode;
}

/**
 * Walks a CBOR document without building anything, and refuses all but one well-formed item of the
 * strict subset: definite lengths, shortest heads, text keys, no tags, 64-bit floats only. Depth,
 * counts and lengths are bounded by the bytes that are really there, so the decoder behind it can
 * neither overflow its stack nor allocate for a length that was only claimed.
 *
 * @throws CulvertError `limits.code`, with `offset`
 */
export function scanCbor(bytes: Uint8Array, limits: CborLimits): void {
  if (bytes.length > limits.maxBytes) {
    throw refusal(limits.code, `longer than ${limits.maxBytes} bytes`, bytes.length);
  }
  new Scan(bytes, limits).run();
}

/** An error about the document at `offset`. */
export function refusal(code: ErrorCode, why: string, offset: number): CulvertError {
  return new CulvertError(code, `CBOR: ${why}`, { detail: { field: "cbor", offset } });
}

/** The types of CBOR items, in the first three bits of a head. */
export const MAJOR = {
  unsigned: 0,
  negative: 1,
  bytes: 2,
  text: 3,
  array: 4,
  map: 5,
  tag: 6,
} as const;

const USUAL_NAN = 0x7ff8_0000_0000_0000n;

/** Items that a container still expects; a map counts keys and values. */
interface Level {
  left: number;
  readonly isMap: boolean;
}

class Scan {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #limits: CborLimits;
  readonly #open: Level[] = [];
  #at = 0;

  constructor(bytes: Uint8Array, limits: CborLimits) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#limits = limits;
  }

  run(): void {
    do {
      const level = this.#open.at(-1);
      const isKey = level?.isMap === true && level.left % 2 === 0;
      if (level !== undefined) level.left -= 1;
      this.#item(isKey);
      while (this.#open.at(-1)?.left === 0) this.#open.pop();
    } while (this.#open.length > 0);
    if (this.#at < this.#bytes.length) this.#refuse("bytes after the end");
  }

  #item(isKey: boolean): void {
    this.#need(1);
    const head = this.#bytes[this.#at] as number;
    const major = head >> 5;
    if (isKey && major !== MAJOR.text) this.#refuse("a key that is not text");
    if (major > MAJOR.tag) {
      this.#simple(head);
      return;
    }
    if (major === MAJOR.tag) this.#refuse("a tag");
    const argument = this.#argument(head & 0x1f, major <= MAJOR.negative);
    if (major === MAJOR.bytes || major === MAJOR.text) {
      this.#need(argument);
      this.#at += argument;
    } else if (major >= MAJOR.array) {
      this.#enter(argument, major === MAJOR.map);
    }
  }

  #enter(count: number, isMap: boolean): void {
    const left = isMap ? 2 * count : count;
    this.#need(left); // every item takes a byte at least
    if (this.#open.length >= this.#limits.maxDepth) {
      this.#refuse(`nested deeper than ${this.#limits.maxDepth}`);
    }
    this.#open.push({ left, isMap });
  }

  /** False, true, null, and floats of 64 bits. */
  #simple(head: number): void {
    if (head === 0xfb) {
      this.#need(9);
      // V8 keeps the payload of a NaN, so writing again would not find the forms beside the usual.
      const bits = this.#view.getBigUint64(this.#at + 1);
      if (Number.isNaN(this.#view.getFloat64(this.#at + 1)) && bits !== USUAL_NAN) {
        this.#refuse("a NaN with a payload");
      }
      this.#at += 9;
    } else if (head >= 0xf4 && head <= 0xf6) {
      this.#at += 1;
    } else {
      this.#refuse("a simple value or float that is not used here");
    }
  }

  /** The head's argument in its shortest form; that of an integer may have eight bytes. */
  #argument(info: number, isInteger: boolean): number {
    const at = this.#at + 1;
    if (info < 24) {
      this.#at = at;
      return info;
    }
    if (info > (isInteger ? 27 : 26)) this.#refuse("an indefinite or impossible length");
    const size = 1 << (info - 24);
    this.#need(1 + size);
    this.#at = at + size;
    if (size === 1) return this.#shortest(this.#view.getUint8(at), 24);
    if (size === 2) return this.#shortest(this.#view.getUint16(at), 2 ** 8);
    if (size === 4) return this.#shortest(this.#view.getUint32(at), 2 ** 16);
    return this.#shortest(this.#view.getUint32(at), 1); // high half of 64 bits must not be zero
  }

  #shortest(value: number, least: number): number {
    if (value < least) this.#refuse("a number that is not in its shortest form");
    return value;
  }

  #need(count: number): void {
    if (count > this.#bytes.length - this.#at) this.#refuse("cut short");
  }

  #refuse(why: string): never {
    throw refusal(this.#limits.code, why, this.#at);
  }
}
