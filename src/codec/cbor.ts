import { Decoder, Encoder } from "cbor-x";
import { type ErrorCode, equalBytes } from "../base/index.ts";
import { refusal, scanCbor } from "./cbor-scan.ts";

/** What can be written as CBOR here. A property that is `undefined` is left out. */
export type CborInput =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CborInput[]
  | { readonly [key: string]: CborInput | undefined };

/**
 * `T` itself where a value of it can be written, though it is an interface, which TypeScript gives
 * no index signature; else something that no value is.
 */
export type CborOf<T> = T extends CborInput
  ? T
  : T extends (...given: never[]) => unknown
    ? never
    : T extends object
      ? {
          readonly [Key in keyof T]:
            | CborOf<Exclude<T[Key], undefined>>
            | Extract<T[Key], undefined>;
        }
      : never;

/** What comes out: a whole number is a `number` when it is safe, a `bigint` when it is not. */
export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | CborValue[]
  | { [key: string]: CborValue };

/** Bounds for a document from elsewhere. */
export interface DecodeOptions {
  /** Longest document, in bytes; 1 MiB if absent. */
  readonly maxBytes?: number;
  /** Deepest nesting of arrays and maps; 16 if absent. */
  readonly maxDepth?: number;
  /** The error that a refused document raises; `CULVERT_PROTOCOL` if absent. */
  readonly code?: ErrorCode;
}

/** Bounds for what is written. */
export interface EncodeOptions {
  /** Deepest nesting of arrays and maps; 256 if absent, and at most. */
  readonly maxDepth?: number;
}

/** Nesting beyond this is refused whatever the caller allows: the decoder behind is recursive. */
const DEPTH_CEILING = 256;

/** No extension of CBOR: no records, no tags for typed arrays, shortest lengths of maps. */
const PLAIN = { useRecords: false, variableMapSize: true, tagUint8Array: false } as const;
const encoder = new Encoder(PLAIN);
const decoder = new Decoder({ useRecords: false, mapsAsObjects: true, copyBuffers: true });

/**
 * Encodes a value as CBOR (RFC 8949) in the one form that {@link decodeCbor} accepts: definite
 * lengths, shortest heads, 64-bit floats, properties in their own order.
 *
 * @throws TypeError for what CBOR or this subset cannot express, or is nested too deeply
 */
export function encodeCbor(value: CborInput, options: EncodeOptions = {}): Uint8Array {
  const maxDepth = Math.min(options.maxDepth ?? DEPTH_CEILING, DEPTH_CEILING);
  // A copy: cbor-x gives views of a buffer that it goes on using.
  return new Uint8Array(encoder.encode(toWire(value, maxDepth)));
}

/**
 * Decodes one CBOR document of the strict subset. Nothing of the result refers to `bytes`.
 *
 * @throws CulvertError `options.code`, for every document that `encodeCbor` would not have written
 */
export function decodeCbor(bytes: Uint8Array, options: DecodeOptions = {}): CborValue {
  const code = options.code ?? "CULVERT_PROTOCOL";
  const maxDepth = Math.min(options.maxDepth ?? 16, DEPTH_CEILING);
  scanCbor(bytes, { maxBytes: options.maxBytes ?? 2 ** 20, maxDepth, code });
  const value = fromWire(decodeScanned(bytes, code));
  // What is left are the cases that are cheaper found by writing again than by rules of their own:
  // repeated keys, text that is no UTF-8, floats that should be integers.
  if (!equalBytes(encodeAgain(value, code), bytes)) {
    throw refusal(code, "not in the one accepted form", 0);
  }
  return value;
}

function decodeScanned(bytes: Uint8Array, code: ErrorCode): unknown {
  try {
    // A view of its own: the decoder leaves a property on the array that it is given.
    return decoder.decode(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch (cause) {
    throw refusal(code, `not decodable (${String(cause)})`, 0);
  }
}

function encodeAgain(value: CborValue, code: ErrorCode): Uint8Array {
  try {
    return encodeCbor(value);
  } catch (cause) {
    throw refusal(code, `not encodable (${String(cause)})`, 0);
  }
}

/** The value as cbor-x has to see it to write the one form; a copy of its containers. */
function toWire(value: CborInput, depthLeft: number): unknown {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "number") return numberToWire(value);
  if (typeof value === "bigint") return bigintToWire(value);
  if (typeof value === "string") return textToWire(value);
  if (value instanceof Uint8Array) return value;
  if (typeof value !== "object") throw new TypeError(`no CBOR for a ${typeof value}`);
  if (depthLeft === 0) throw new TypeError("CBOR is nested too deeply");
  if (isList(value)) return Array.from(value, (item) => toWire(item, depthLeft - 1));
  return mapToWire(value, depthLeft - 1);
}

function mapToWire(map: { readonly [key: string]: CborInput | undefined }, depthLeft: number) {
  const prototype: unknown = Object.getPrototypeOf(map);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError("no CBOR for an object of a class");
  }
  const wire: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(map)) {
    if (key === "__proto__") throw new TypeError("__proto__ is no key for CBOR here");
    if (item === undefined) continue;
    wire[textToWire(key)] = toWire(item, depthLeft);
  }
  return wire;
}

/** Half a surrogate pair has no UTF-8; written anyway, it would come back as something else. */
function textToWire(text: string): string {
  if (/\p{Surrogate}/u.test(text)) throw new TypeError("CBOR text with half a surrogate pair");
  return text;
}

/** cbor-x writes whole numbers beyond 32 bits as floats, unless they are bigints. */
function numberToWire(value: number): number | bigint {
  if (Number.isNaN(value)) return Number.NaN; // without a payload
  if (!Number.isSafeInteger(value)) return value;
  return value >= -(2 ** 32) && value < 2 ** 32 ? value : BigInt(value);
}

/** cbor-x writes every bigint with eight bytes, and beyond 64 bits with a tag. */
function bigintToWire(value: bigint): number | bigint {
  if (value >= -(2n ** 32n) && value < 2n ** 32n) return Number(value);
  if (value <= -(2n ** 64n) || value >= 2n ** 64n) throw new TypeError("CBOR integer over 64 bits");
  return value;
}

/** Turns bigints that are safe into numbers; the depth is bounded by the scan before. */
function fromWire(value: unknown): CborValue {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) return value.map(fromWire);
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromWire(item)]));
  }
  return value as CborValue; // the scan has let through nothing else
}

function isList(value: object): value is readonly CborInput[] {
  return Array.isArray(value);
}
