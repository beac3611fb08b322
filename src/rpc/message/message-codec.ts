import {
  CulvertError,
  concatBytes,
  requireBytes,
  requireFunction,
  requireObject,
  requireText,
  utf8,
} from "../../base/index.ts";
import {
  type CborInput,
  type CborOf,
  type CborValue,
  decodeCbor,
  encodeCbor,
} from "../../codec/index.ts";

/** How values of one type cross: what is decoded comes from a stranger. */
export interface MessageCodec<T> {
  /** Fresh bytes. */
  encode(value: T): Uint8Array;
  /**
   * Reads bytes of a peer, borrowed.
   *
   * @throws CulvertError `CULVERT_PROTOCOL` when they are not what this codec writes
   */
  decode(bytes: Uint8Array): T;
}

/** Bytes as they are, copied: a slice of a Buffer would be a view. */
export const BYTES: MessageCodec<Uint8Array> = {
  encode(value) {
    requireBytes("what is sent", value);
    return concatBytes(value);
  },
  decode: (bytes) => concatBytes(bytes),
};

/** Text in UTF-8. */
export const TEXT: MessageCodec<string> = {
  encode(value) {
    requireText("what is sent", value);
    return utf8(value);
  },
  decode(bytes) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
      throw new CulvertError("CULVERT_PROTOCOL", "text that is no UTF-8", { cause });
    }
  },
};

/** Nothing at all. */
export const NOTHING: MessageCodec<void> = {
  encode: () => new Uint8Array(0),
  decode(bytes) {
    if (bytes.length > 0) throw new CulvertError("CULVERT_PROTOCOL", "bytes where none belong");
  },
};

/**
 * Plain values as CBOR. `parse` makes the typed value of what came, and throws when it is something
 * else: a schema of whatever library will do. Whoever sent it is told `CULVERT_PROTOCOL`, unless it
 * is a `CulvertError` that `parse` throws.
 *
 * @example
 * ```ts
 * interface Point {
 *   readonly x: number;
 *   readonly y: number;
 * }
 * const point = cborMessage((value): Point => {
 *   const { x, y } = value as Partial<Point>;
 *   if (typeof x !== "number" || typeof y !== "number") throw new TypeError("no point");
 *   return { x, y };
 * });
 * const move = unary({ request: point, reply: NOTHING });
 * ```
 */
export function cborMessage<T>(
  parse: (value: CborValue) => T & CborOf<T>,
  options: { readonly maxBytes?: number; readonly maxDepth?: number } = {},
): MessageCodec<T> {
  requireFunction("parse", parse);
  requireObject("options", options);
  return {
    encode: (value) => encodeCbor(value as CborInput),
    decode: (bytes) => {
      const value = decodeCbor(bytes, options);
      try {
        return parse(value);
      } catch (cause) {
        if (cause instanceof CulvertError) throw cause;
        throw new CulvertError("CULVERT_PROTOCOL", "a value of another form", { cause });
      }
    },
  };
}
