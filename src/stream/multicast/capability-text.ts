import { bech32m } from "@scure/base";
import { CulvertError } from "../../base/index.ts";
import { ReadCapability, WriteCapability } from "../../crypto/index.ts";
import { systemRandom } from "../../io/random.ts";
import { withRoom } from "../exchange/chain-room.ts";

const PREFIX = "culvertread";
const VERSION = 1;
const TEXT_LENGTH_MAX = 300;

/** A read capability as an object, as its 136 bytes, or as text. */
export type GivenCapability = ReadCapability | Uint8Array | string;

/** A fresh root and chain of one's own: to write a broadcast, or to ask for repairs of one. */
export function generateCapability(): WriteCapability {
  return WriteCapability.generate(systemRandom);
}

/**
 * A read capability as text with a version and a checksum (bech32m). Whoever has it can read.
 *
 * @throws CulvertError `CULVERT_BAD_CAPABILITY` for what is none
 */
export function capabilityToText(capability: ReadCapability): string {
  if (!(capability instanceof ReadCapability)) {
    throw new CulvertError("CULVERT_BAD_CAPABILITY", "only a ReadCapability has a text");
  }
  const bytes = Uint8Array.of(VERSION, ...capability.toBytes());
  return bech32m.encode(PREFIX, bech32m.toWords(bytes), TEXT_LENGTH_MAX);
}

/**
 * A read capability from what it is given as.
 *
 * @throws CulvertError `CULVERT_BAD_CAPABILITY`, `CULVERT_BAD_TICKET` for text that is mistyped
 */
export function parseReadCapability(given: GivenCapability): ReadCapability {
  if (given instanceof ReadCapability) return withRoom(given);
  return withRoom(ReadCapability.fromBytes(typeof given === "string" ? bytesOf(given) : given));
}

/**
 * A write capability from what it is given as: itself, or its 168 bytes.
 *
 * @throws CulvertError `CULVERT_BAD_CAPABILITY`
 */
export function parseWriteCapability(given: WriteCapability | Uint8Array): WriteCapability {
  return withRoom(given instanceof WriteCapability ? given : WriteCapability.fromBytes(given));
}

function bytesOf(text: string): Uint8Array {
  const compact = text.replace(/\s+/g, "").toLowerCase();
  const decoded = bech32m.decodeUnsafe(compact, TEXT_LENGTH_MAX);
  const bytes = decoded?.prefix === PREFIX && bech32m.fromWordsUnsafe(decoded.words);
  if (!bytes) {
    throw new CulvertError("CULVERT_BAD_TICKET", "this is no read capability, or it is mistyped");
  }
  if (bytes[0] !== VERSION) {
    throw new CulvertError("CULVERT_BAD_TICKET", "the capability is of another version");
  }
  return bytes.subarray(1);
}
