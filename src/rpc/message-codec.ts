import { CulvertError, concatBytes, utf8 } from "../base/index.ts";
import { type CborInput, type CborValue, decodeCbor, encodeCbor } from "../codec/index.ts";

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
  encode: (value) => concatBytes(value),
  decode: (bytes) => concatBytes(bytes),
};

/** Text in UTF-8. */
export const TEXT: MessageCodec<string> = {
  encode: (value) => utf8(value),
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
 * Plain values as CBOR. `parse` makes the typed value of what came, and throws
 * `CULVERT_PROTOCOL` when it is something else; `Fields` of the codec room does most of that.
 */
export function cborMessage<T extends CborInput>(
  parse: (value: CborValue) => T,
  options: { readonly maxBytes?: number; readonly maxDepth?: number } = {},
): MessageCodec<T> {
  return {
    encode: (value) => encodeCbor(value),
    decode: (bytes) => parse(decodeCbor(bytes, options)),
  };
}
