import {
  CulvertError,
  type ErrorCode,
  isAbortError,
  isCulvertError,
  isErrorCode,
} from "../../base/index.ts";
import { decodeCbor, encodeCbor, Fields } from "../../codec/index.ts";

/** What crosses of an error: a code and a message. Never a stack, a cause or a detail. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message?: string;
}

/** Longest message that crosses, in UTF-16 units; what is longer is cut. */
const MESSAGE_LENGTH_MAX = 256;
/** Longest encoded failure: code, and a message of three bytes a unit. */
export const FAILURE_BYTES_MAX = 1_024;

/** The bytes of a failure: a CBOR map. */
export function encodeFailure({ code, message }: Failure): Uint8Array {
  // Half a surrogate pair, as cutting leaves it, has no UTF-8.
  const text = message?.slice(0, MESSAGE_LENGTH_MAX).replaceAll(/\p{Surrogate}/gu, "\ufffd");
  return encodeCbor({ code, message: text });
}

/**
 * What of an error a peer is told: code and message of a {@link CulvertError}, also where it is why
 * a wait of the handler was aborted; of anything else only that the handler failed, as its text may
 * hold whatever it likes.
 */
export function failureOf(error: unknown): Failure {
  const told = error instanceof Error && isAbortError(error) ? error.cause : error;
  if (isCulvertError(told)) return { code: told.code, message: told.message };
  return { code: "CULVERT_INTERNAL", message: "the handler failed" };
}

/** The error that a peer's failure becomes; `CULVERT_PROTOCOL` if it is none. */
export function readFailure(bytes: Uint8Array): CulvertError {
  try {
    const fields = Fields.of(decodeCbor(bytes, { maxBytes: FAILURE_BYTES_MAX, maxDepth: 1 }));
    const code = fields.text("code");
    if (!isErrorCode(code)) throw fields.wrong("code", "is unknown");
    const message = fields.has("message") ? fields.text("message") : undefined;
    return new CulvertError(code, message?.slice(0, MESSAGE_LENGTH_MAX), { remote: true });
  } catch (cause) {
    return new CulvertError("CULVERT_PROTOCOL", "a failure that is none", { cause });
  }
}
