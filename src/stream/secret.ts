import { bech32m } from "@scure/base";
import { CulvertError, isBytes, toHex } from "../base/index.ts";
import { crypto, type WriteCapability } from "../crypto/index.ts";
import { systemRandom } from "../io/random.ts";

/** Length of a stream's secret in bytes. */
const SECRET_BYTES = 32;

const PREFIX = "culvertsecret";
const TEXT_VERSION = 1;
const TEXT_LENGTH_MAX = 120;

/** A fresh secret for one stream: 32 random bytes, to be shared by its two ends and no one else. */
export function generateSecret(): Uint8Array {
  return systemRandom.bytes(SECRET_BYTES);
}

/** A secret as text with a version and a checksum (bech32m): a mistyped one does not decode. */
export function secretToText(secret: Uint8Array): string {
  const bytes = new Uint8Array(1 + SECRET_BYTES);
  bytes[0] = TEXT_VERSION;
  bytes.set(parseSecret(secret), 1);
  return bech32m.encode(PREFIX, bech32m.toWords(bytes), TEXT_LENGTH_MAX);
}

/**
 * Reads what `secretToText` wrote.
 *
 * @throws CulvertError `CULVERT_BAD_TICKET`
 */
export function secretFromText(text: string): Uint8Array {
  const given = typeof text === "string" ? text.trim().toLowerCase() : "";
  const decoded = bech32m.decodeUnsafe(given, TEXT_LENGTH_MAX);
  const bytes = decoded?.prefix === PREFIX && bech32m.fromWordsUnsafe(decoded.words);
  if (!bytes || bytes.length !== 1 + SECRET_BYTES) {
    throw new CulvertError("CULVERT_BAD_TICKET", "this is not a Culvert secret, or it is mistyped");
  }
  if (bytes[0] !== TEXT_VERSION) {
    throw new CulvertError("CULVERT_BAD_TICKET", "the secret is of another version");
  }
  return bytes.slice(1);
}

/**
 * A secret as bytes, from bytes or text.
 *
 * @throws CulvertError `CULVERT_BAD_TICKET`
 */
export function parseSecret(secret: Uint8Array | string): Uint8Array {
  if (typeof secret === "string") return secretFromText(secret);
  if (isBytes(secret) && secret.length === SECRET_BYTES) return secret;
  throw new CulvertError("CULVERT_BAD_TICKET", `a secret has ${SECRET_BYTES} bytes`);
}

/** The seed of the root that is written under: 32 secret bytes, owned by the caller. */
export function writeSeedOf(write: WriteCapability): Uint8Array {
  return write.toBytes().slice(0, 32);
}

/** A public name of a stream: it finds saved state and says nothing about the secret. */
export function streamIdOf(root: Uint8Array): string {
  return toHex(crypto().sha256(root).subarray(0, 16));
}
