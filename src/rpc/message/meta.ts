import { CulvertError } from "../../base/index.ts";
import { decodeCbor, encodeCbor } from "../../codec/index.ts";
import { META_BYTES_MAX } from "./envelope.ts";

/** Short texts that travel beside a call: a trace id, a tenant, a token. */
export type Meta = Readonly<Record<string, string>>;

const NO_META = new Uint8Array(0);

/** A CBOR map of texts, or no bytes at all. */
export function encodeMeta(meta: Meta): Uint8Array {
  if (Object.keys(meta).length === 0) return NO_META;
  const bytes = encodeCbor(meta);
  if (bytes.length > META_BYTES_MAX) throw new RangeError("meta is longer than it may be");
  return bytes;
}

/** @throws CulvertError `CULVERT_PROTOCOL` when the bytes are no map of texts */
export function decodeMeta(bytes: Uint8Array): Meta {
  if (bytes.length === 0) return {};
  const value = decodeCbor(bytes, { maxBytes: META_BYTES_MAX, maxDepth: 1 });
  const meta: Record<string, string> = {};
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw notMeta();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw notMeta();
    meta[key] = text;
  }
  if (Object.keys(meta).length === 0) throw notMeta();
  return meta;
}

function notMeta(): CulvertError {
  return new CulvertError("CULVERT_PROTOCOL", "meta is no map of texts");
}
