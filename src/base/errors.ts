/**
 * Every code a Culvert error can carry, with its meaning. The library, the CLI's JSON and
 * docs/ERRORS.md share this list; a test compares them.
 */
export const ERROR_CODES = {
  CULVERT_BAD_TICKET:
    "a ticket or secret in text form is malformed, mistyped or of another version",
  CULVERT_WRONG_ROLE: "the ticket is for the other role",
  CULVERT_BAD_CAPABILITY: "a capability's bytes are malformed, or it cannot do what was asked",
  CULVERT_NOT_BOUND: "a Map client was used without the capabilities of a stream",
  CULVERT_BAD_STATE: "saved state is damaged, malformed or of another version",
  CULVERT_STALE_STATE:
    "saved state is older than what this stream has already put (a restored backup)",
  CULVERT_STATE_IN_USE: "the state is held by another live process",
  CULVERT_GEOMETRY_CHANGED:
    "the transport's payload size is not the one this stream was started with",
  CULVERT_SECRET_USED:
    "the stream's own address is already taken: this secret has carried a stream",
  CULVERT_DECRYPT_FAILED: "a cell or a record did not open under its key",
  CULVERT_PROTOCOL: "a peer's frame, record or request broke the protocol",
  CULVERT_CLOSED: "the stream or service is closed",
  CULVERT_HALTED: "the stream was halted; load its saved state to go on",
  CULVERT_PEER_ABORTED: "the peer destroyed its side of the stream",
  CULVERT_PEER_TIMEOUT: "nothing was heard from the peer within the limit that was asked for",
  CULVERT_DATA_EXPIRED: "data left the Map before it was read",
  CULVERT_LAGGED: "a multicast reader fell behind what is still kept",
  CULVERT_NOT_FOUND: "the Map has no record at this address",
  CULVERT_CONFLICT: "the address already holds other bytes",
  CULVERT_REFUSED: "the Map, or a node, refused the request",
  CULVERT_FULL: "the Map has no room for a new record",
  CULVERT_BUSY: "a limit of the service was reached; try again later",
  CULVERT_WORK_REQUIRED: "the Map asks for a proof of work that the request does not carry",
  CULVERT_TIMEOUT: "no answer came before the hard timeout",
  CULVERT_UNREACHABLE: "the Map service, or a node, cannot be reached",
  CULVERT_WRONG_PEER: "the node at the other end is not the one that was asked for",
  CULVERT_UNKNOWN_METHOD: "the peer does not know what it was asked to do",
  CULVERT_SESSION_LOST:
    "the peer has restarted since the request was sent; whether it ran is not known",
  CULVERT_TOO_LARGE: "a message or value exceeds its limit",
  CULVERT_JOURNAL: "the journal could not be read or written",
  CULVERT_INTEGRITY: "what arrived does not match what was announced",
  CULVERT_FILE: "a file or folder cannot be read or written as asked",
  CULVERT_USAGE: "the command was not understood",
  CULVERT_UNSUPPORTED: "a package that this needs is not installed, or not built for this system",
  CULVERT_INTERNAL: "a defect of Culvert; please report it",
} as const;

/** A stable, machine-readable name for a kind of failure. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** What an error may carry besides its code and message. */
export interface ErrorOptions {
  /** What it came of. */
  readonly cause?: unknown;
  /** True when the code was sent by the other side. */
  readonly remote?: boolean;
  /** Plain, secret-free facts: field, offset, limit. */
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
}

/** The one class of errors that Culvert raises for what goes wrong at run time. */
export class CulvertError extends Error {
  /** What to compare: messages may change, codes do not. docs/ERRORS.md says what to do. */
  readonly code: ErrorCode;
  /** True when the other side sent the code. */
  readonly remote: boolean;
  /** Plain, secret-free facts: field, offset, limit. */
  readonly detail: Readonly<Record<string, string | number | boolean>> | undefined;

  constructor(code: ErrorCode, message?: string, options: ErrorOptions = {}) {
    super(
      message ?? ERROR_CODES[code],
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = "CulvertError";
    this.code = code;
    this.remote = options.remote ?? false;
    this.detail = options.detail;
  }
}

/** True for a {@link CulvertError}, of the given code if one is given. */
export function isCulvertError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is CulvertError & { readonly code: Code } {
  return error instanceof CulvertError && (code === undefined || error.code === code);
}

/** True for a string that is one of {@link ERROR_CODES}. */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === "string" && Object.hasOwn(ERROR_CODES, text);
}
