import { CulvertError, type ErrorCode } from "../base/index.ts";
import type { CborValue } from "./cbor.ts";
import { ABSENT, type Level, ListLevel, MapLevel, type Part } from "./cbor-level.ts";
import { DefinitionLevel, RecordLevel, RecordTable } from "./cbor-records.ts";
import { MAJOR, refusal } from "./cbor-scan.ts";
import { UnreadBytes } from "./unread-bytes.ts";

/** Bounds for a sequence from elsewhere. */
export interface SequenceOptions {
  /** Longest encoding of one value, in bytes; 1 MiB if absent. */
  readonly maxBytes?: number;
  /** Deepest nesting; 64 if absent. */
  readonly maxDepth?: number;
}

const CODE: ErrorCode = "CULVERT_PROTOCOL";
const MAX_BYTES = 2 ** 20;
const MAX_DEPTH = 64;

const TAG = { bytes: 64, definition: 0xdfff } as const;

/** Text or bytes whose content is still to come. */
interface Awaited {
  readonly major: number;
  readonly length: number;
}

/**
 * Reads a CBOR sequence (RFC 8742) piece by piece: each byte is looked at once, whatever the pieces
 * are, and no more is kept than one value and the piece that it ends in.
 *
 * It accepts more than `decodeCbor`, namely all that cbor-x writes for plain values: heads and
 * floats of any length, `undefined` (left out of maps, else null), tag 64 on bytes, and the records
 * that cbor-x makes of objects. Refused are other tags, indefinite lengths, keys that are not text
 * or come twice, and text that is no UTF-8.
 */
export class CborSequence {
  readonly #maxBytes: number;
  readonly #maxDepth: number;
  readonly #text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #records: RecordTable;
  readonly #open: Level[] = [];
  readonly #bytes = new UnreadBytes();
  /** Bytes of the value that is being read. */
  #valueBytes = 0;
  #awaited: Awaited | undefined;
  #tag: number | undefined;

  constructor(options: SequenceOptions = {}) {
    this.#maxBytes = options.maxBytes ?? MAX_BYTES;
    this.#maxDepth = options.maxDepth ?? MAX_DEPTH;
    this.#records = new RecordTable(this.#maxBytes);
  }

  /** True between two values, when no byte is left over. */
  get isBetween(): boolean {
    return this.pendingBytes === 0;
  }

  /** Bytes that are here behind the last value that was given. */
  get pendingBytes(): number {
    return this.#bytes.length + this.#valueBytes;
  }

  /** Takes the next bytes over; they must not be changed any more. */
  push(piece: Uint8Array): void {
    this.#bytes.push(piece);
  }

  /**
   * The next value, or `undefined` while it is not complete. Nothing of it refers to the pieces.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` with `offset` in the value, `CULVERT_TOO_LARGE`; the
   *   sequence is of no use after that
   */
  next(): CborValue | undefined {
    for (;;) {
      const part = this.#awaited === undefined ? this.#head() : this.#content(this.#awaited);
      if (part === PENDING) return undefined;
      if (part === ENTERED) continue;
      const whole = this.#settle(part);
      if (whole === PENDING) continue;
      this.#valueBytes = 0;
      return whole === ABSENT ? null : whole;
    }
  }

  /** Puts a part where it belongs; gives a whole value back. */
  #settle(part: Part): Part | typeof PENDING {
    let whole = part;
    for (let level = this.#open.at(-1); level !== undefined; level = this.#open.at(-1)) {
      const problem = level.add(whole);
      if (problem !== undefined) this.#refuse(problem);
      if (level.left > 0) return PENDING;
      this.#open.pop();
      whole = level.result();
    }
    return whole;
  }

  #head(): Part | typeof PENDING | typeof ENTERED {
    const first = this.#bytes.peek();
    if (first === undefined) return PENDING;
    const info = first & 0x1f;
    if (info > 27) this.#refuse("an indefinite or impossible length");
    const size = info < 24 ? 0 : 1 << (info - 24);
    const bytes = this.#take(1 + size);
    if (bytes === undefined) return PENDING;
    const major = first >> 5;
    if (major > MAJOR.tag) return this.#simple(info, viewOf(bytes));
    const argument = size === 8 ? viewOf(bytes).getBigUint64(1) : argumentOf(bytes);
    if (major <= MAJOR.negative) {
      this.#expectNoTag();
      return integerOf(major, argument);
    }
    return this.#begin(major, Number(argument));
  }

  #begin(major: number, argument: number): Part | typeof PENDING | typeof ENTERED {
    const tag = this.#tag;
    this.#tag = undefined;
    if (major === MAJOR.tag) {
      if (tag !== undefined) this.#refuse("a tag on a tag");
      this.#tag = argument;
      return ENTERED;
    }
    if (tag === TAG.bytes && major !== MAJOR.bytes) this.#refuse("tag 64 on no bytes");
    if (major === MAJOR.bytes || major === MAJOR.text) {
      if (tag !== undefined && tag !== TAG.bytes) this.#refuse(`tag ${tag}`);
      this.#mustFit(argument);
      this.#awaited = { major, length: argument };
      return ENTERED;
    }
    return this.#enter(this.#level(major, argument, tag));
  }

  #level(major: number, count: number, tag: number | undefined): Level {
    // Every item takes a byte at least.
    this.#mustFit(major === MAJOR.map ? 2 * count : count);
    if (tag === undefined) return major === MAJOR.map ? new MapLevel(count) : new ListLevel(count);
    if (major === MAJOR.map) return this.#refuse(`tag ${tag}`);
    if (tag === TAG.definition && count < 2) return this.#refuse("a record without keys");
    if (tag === TAG.definition) return new DefinitionLevel(count, this.#records);
    const keys = this.#records.keys(tag);
    if (keys?.length !== count) return this.#refuse(`tag ${tag}`);
    return new RecordLevel(keys);
  }

  #enter(level: Level): Part | typeof ENTERED {
    if (level.left <= 0) return level.result();
    if (this.#open.length >= this.#maxDepth) this.#refuse(`nested deeper than ${this.#maxDepth}`);
    this.#open.push(level);
    return ENTERED;
  }

  #content({ major, length }: Awaited): Part | typeof PENDING {
    const bytes = this.#take(length);
    if (bytes === undefined) return PENDING;
    this.#awaited = undefined;
    if (major === MAJOR.bytes) return new Uint8Array(bytes);
    try {
      return this.#text.decode(bytes);
    } catch {
      return this.#refuse("text that is no UTF-8");
    }
  }

  #simple(info: number, view: DataView): Part {
    this.#expectNoTag();
    if (info === 20 || info === 21) return info === 21;
    if (info === 22) return null;
    if (info === 23) return ABSENT;
    if (info === 25) return halfFloat(view.getUint16(1));
    if (info === 26) return view.getFloat32(1);
    if (info === 27) return view.getFloat64(1);
    return this.#refuse("a simple value that is not used here");
  }

  #expectNoTag(): void {
    if (this.#tag !== undefined) this.#refuse(`tag ${this.#tag}`);
  }

  #mustFit(bytes: number): void {
    if (this.#valueBytes + bytes <= this.#maxBytes) return;
    throw new CulvertError("CULVERT_TOO_LARGE", `a value of more than ${this.#maxBytes} bytes`, {
      detail: { limit: this.#maxBytes },
    });
  }

  /** The next `length` bytes, borrowed, once they are there. */
  #take(length: number): Uint8Array | undefined {
    if (this.#bytes.length < length) return undefined;
    this.#mustFit(length);
    this.#valueBytes += length;
    return this.#bytes.take(length);
  }

  #refuse(why: string): never {
    throw refusal(CODE, why, this.#valueBytes);
  }
}

/** No whole part is there yet. */
const PENDING = Symbol("pending");
/** A head was read, and something follows it. */
const ENTERED = Symbol("entered");

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The argument of a head with at most four bytes of it. */
function argumentOf(head: Uint8Array): number {
  if (head.length === 1) return (head[0] ?? 0) & 0x1f;
  let argument = 0;
  for (const byte of head.subarray(1)) argument = argument * 256 + byte;
  return argument;
}

/** A number when it is safe, a bigint when it is not. */
function integerOf(major: number, argument: number | bigint): number | bigint {
  const value = major === MAJOR.unsigned ? BigInt(argument) : -1n - BigInt(argument);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** IEEE 754 with 16 bits; RFC 8949, appendix D. */
function halfFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent < 31) return sign * (1_024 + fraction) * 2 ** (exponent - 25);
  return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
}
