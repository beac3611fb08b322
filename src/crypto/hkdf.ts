import type { HkdfOptions } from "./provider.ts";
import { crypto } from "./select.ts";

/** HKDF (RFC 5869) with HMAC-BLAKE2b-512, by the provider in use. */
export function hkdf(options: HkdfOptions): Uint8Array {
  return crypto().hkdfBlake2b(options);
}
