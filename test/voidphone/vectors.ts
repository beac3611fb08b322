import { readFileSync } from "node:fs";
import { fromHex } from "../../src/base/index.ts";

/** One message of test/vectors/voidphone.json. */
export interface Vector {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly fields: Readonly<Record<string, unknown>>;
}

interface Entry {
  readonly name: string;
  readonly hex: string;
  readonly len: number;
  readonly fields: Record<string, unknown>;
}

const path = new URL("../vectors/voidphone.json", import.meta.url);
const entries: Entry[] = JSON.parse(readFileSync(path, "utf8"));

/** Every message that was recorded. */
export const VECTORS: readonly Vector[] = entries.map(({ name, hex, fields }) => ({
  name,
  bytes: fromHex(hex),
  fields,
}));

/** The recorded message whose name begins so. */
export function vector(prefix: string): Vector {
  const found = VECTORS.find(({ name }) => name.startsWith(prefix));
  if (found === undefined) throw new Error(`no vector is called ${prefix}`);
  return found;
}

/** `message` with other bytes from `offset` on, and its size field put right. */
export function patched(message: Uint8Array, offset: number, ...bytes: number[]): Uint8Array {
  const changed = message.slice();
  changed.set(bytes, offset);
  return changed;
}

/** The first `length` bytes of a message, or as many zeros more, with a size field that fits. */
export function resized(message: Uint8Array, length: number): Uint8Array {
  const changed = new Uint8Array(length);
  changed.set(message.subarray(0, length));
  new DataView(changed.buffer).setUint16(0, length);
  return changed;
}
