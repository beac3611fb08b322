import { CulvertError, ERROR_CODES, type ErrorCode, isCulvertError } from "../base/index.ts";
import { errorCode } from "../io/error-code.ts";

/** The exit statuses of the command, signals apart (128 + their number). */
export const EXIT = {
  done: 0,
  unexpected: 1,
  usage: 2,
  badTicket: 3,
  noPeer: 4,
  noNode: 5,
  integrity: 6,
  expired: 7,
  state: 8,
} as const;

/** What the command makes of an error: its exit status, and what the user can do next. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly exit: number;
}

const REPORT = "run it again with --verbose and report what it says";
const INSTALL = "install culvert anew on this machine; docs/HACKING.md says where it runs";
const SAME_COMMAND = "type the same command again";
const RETRY = `${SAME_COMMAND} to go on where it stopped`;
const NEW_TICKET = "ask the other side for a new ticket";
const MAP_ADDRESS = 'check --map (or CULVERT_MAP); "culvert map" starts a Map of your own';
const LISTEN_ELSEWHERE = "is another process there already? --listen takes another place";
const OTHER_FOLDER = `go to a folder that is there, and ${SAME_COMMAND}`;
const MORE_FILES = "raise the number of files that may be open: ulimit -n 1024";
const STATE_FOLDER = '"culvert status" lists what is kept, "culvert paths" says where';

/** One row for each code; a test compares it with the documentation. */
const FAILURES: Readonly<Record<ErrorCode, readonly [exit: number, hint: string]>> = {
  CULVERT_BAD_TICKET: [EXIT.badTicket, "copy the whole ticket again, from the other side's screen"],
  CULVERT_WRONG_ROLE: [EXIT.badTicket, "give the ticket to the command that it names"],
  CULVERT_BAD_CAPABILITY: [EXIT.badTicket, NEW_TICKET],
  CULVERT_SECRET_USED: [EXIT.badTicket, `a ticket carries one stream; ${NEW_TICKET}`],
  CULVERT_PEER_TIMEOUT: [EXIT.noPeer, `is the other side running? ${RETRY}`],
  CULVERT_UNREACHABLE: [EXIT.noNode, MAP_ADDRESS],
  CULVERT_TIMEOUT: [EXIT.noNode, `${RETRY}, or use another Map`],
  CULVERT_REFUSED: [EXIT.noNode, "the Map does not take this; use another Map"],
  CULVERT_FULL: [EXIT.noNode, `the Map is full; ${SAME_COMMAND} later, or use another Map`],
  CULVERT_BUSY: [EXIT.noNode, `the Map is busy; ${SAME_COMMAND} in a while`],
  CULVERT_WORK_REQUIRED: [EXIT.noNode, "the Map is under load; try again later"],
  CULVERT_DECRYPT_FAILED: [EXIT.integrity, `someone has changed what was stored; ${NEW_TICKET}`],
  CULVERT_PROTOCOL: [EXIT.integrity, "is the other side of the same version, and the right one?"],
  CULVERT_WRONG_PEER: [EXIT.integrity, "the address belongs to another node; ask for a new one"],
  CULVERT_INTEGRITY: [EXIT.integrity, `nothing was put in place; ${NEW_TICKET}`],
  CULVERT_DATA_EXPIRED: [EXIT.expired, "send it again, and read it before the Map forgets it"],
  CULVERT_LAGGED: [EXIT.expired, "subscribe again to join at what is still kept"],
  CULVERT_BAD_STATE: [EXIT.state, STATE_FOLDER],
  CULVERT_STALE_STATE: [EXIT.state, "a restored backup cannot go on; start anew with a new ticket"],
  CULVERT_STATE_IN_USE: [EXIT.state, "this is already running; stop the other process first"],
  CULVERT_GEOMETRY_CHANGED: [EXIT.state, "go on with the Map that it was begun with"],
  CULVERT_JOURNAL: [EXIT.state, `is the disk full, or read-only? ${STATE_FOLDER}`],
  CULVERT_CONFLICT: [EXIT.state, "start anew with a new ticket"],
  CULVERT_USAGE: [EXIT.usage, "culvert --help shows every command with an example"],
  CULVERT_FILE: [EXIT.unexpected, "check the path, its permissions and the space on the disk"],
  CULVERT_PEER_ABORTED: [EXIT.unexpected, "the other side gave up; its own message says why"],
  CULVERT_UNKNOWN_METHOD: [EXIT.noNode, "the node speaks another version; use another one"],
  CULVERT_SESSION_LOST: [EXIT.noNode, `${RETRY}; what was asked may have been done`],
  CULVERT_TOO_LARGE: [EXIT.unexpected, "send it in smaller parts"],
  CULVERT_NOT_FOUND: [EXIT.unexpected, RETRY],
  CULVERT_CLOSED: [EXIT.unexpected, RETRY],
  CULVERT_HALTED: [EXIT.unexpected, RETRY],
  CULVERT_NOT_BOUND: [EXIT.unexpected, REPORT],
  CULVERT_UNSUPPORTED: [EXIT.unexpected, INSTALL],
  CULVERT_INTERNAL: [EXIT.unexpected, REPORT],
};

/** What the library says of streams and transports, as who has a ticket and a Map would say it. */
const PLAIN_WORDS: Partial<Record<ErrorCode, string>> = {
  CULVERT_SECRET_USED: "this ticket was used before",
  CULVERT_GEOMETRY_CHANGED: "the Map has cells of another size than when this was begun",
  CULVERT_STATE_IN_USE: "another process works on this",
};

/** An error of the command itself, which knows a better next step than the table does. */
export class CommandError extends CulvertError {
  readonly hint: string;

  constructor(code: ErrorCode, message: string, hint: string, cause?: unknown) {
    super(code, message, { cause });
    this.hint = hint;
  }
}

/** What to do about the folder of a Map or a node, which is no work of this user's. */
const STORE_HINTS: Partial<Record<ErrorCode, string>> = {
  CULVERT_BAD_STATE:
    "move it out of the way to begin with an empty one: who still has what it had puts that again",
  CULVERT_GEOMETRY_CHANGED: "--cell takes the size that it has, --store another folder",
  CULVERT_STATE_IN_USE: "stop the other process first, or choose another folder with --store",
};

/** The same about a file in it that says who this is, as the error tells in its detail. */
const KEY_HINT =
  "put a copy of it back, or move it out of the way: who knows this one takes the next for another";

/** The same error of a Map or a node that starts, with what to do about its folder. */
export function withStoreHint(error: unknown): unknown {
  if (!isCulvertError(error)) return error;
  const { keyFile } = error.detail ?? {};
  const hint = keyFile === undefined ? STORE_HINTS[error.code] : KEY_HINT;
  if (hint === undefined) return error;
  return new CommandError(error.code, error.message, hint, error);
}

/** The same error, where other words than the same command go on with what has failed. */
export function withWayOn(error: unknown, way: string): unknown {
  const { code, message, hint } = explain(error);
  if (!hint.includes(SAME_COMMAND)) return error;
  return new CommandError(code, message, hint.replace(SAME_COMMAND, `type ${way}`), error);
}

/** What keeps a program from listening where it should, apart from another one that does. */
const LISTEN_HINTS: Readonly<Record<string, string>> = {
  EACCES: "this user may not listen there; --listen takes another place, as a port from 1024 on",
  EADDRNOTAVAIL: "this machine has no such address itself; 0.0.0.0 and [::] are all that it has",
  ENOTFOUND: "no machine is known by that name; give an address of this one",
};

/** The same of a socket in the file system. */
const UNIX_LISTEN_HINTS: Readonly<Record<string, string>> = {
  EACCES: "is its folder there, and may this user make files in it?",
  ENAMETOOLONG: "the path of a socket has room for 108 bytes: choose a shorter one",
};

/** The same error, with what to do where something of this machine, and no Map, was not reached. */
export function withListenHint(error: unknown, hint: string = LISTEN_ELSEWHERE): unknown {
  if (!isCulvertError(error, "CULVERT_UNREACHABLE")) return error;
  const hints = error.message.includes(" unix:") ? UNIX_LISTEN_HINTS : LISTEN_HINTS;
  const why = hints[errorCode(error.cause) ?? ""];
  return new CommandError(error.code, error.message, why ?? hint, error);
}

/** Finds code, hint and exit status for anything that was thrown. */
export function explain(error: unknown): Failure {
  const { code, message } = identify(error);
  const [exit, general] = FAILURES[code];
  const known = error instanceof CommandError ? error.hint : undefined;
  const hint = known ?? systemHint(error) ?? general;
  return { code, message, hint, exit };
}

function identify(error: unknown): { code: ErrorCode; message: string } {
  if (isCulvertError(error)) {
    const { code, message } = error;
    const words = message === ERROR_CODES[code] ? PLAIN_WORDS[code] : undefined;
    return { code, message: words ?? lowerFirst(message) };
  }
  if (isSystemError(error)) {
    const words = isFolderGone(error) ? "the current folder has been removed" : error.message;
    return { code: "CULVERT_FILE", message: lowerFirst(words) };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "CULVERT_INTERNAL", message: lowerFirst(message) };
}

/** What the operating system refuses is the user's to mend, not a defect of ours. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error && "errno" in error;
}

function systemHint(error: unknown): string | undefined {
  if (!isSystemError(error)) return undefined;
  if (isFolderGone(error)) return OTHER_FOLDER;
  return /^E[MN]FILE$/.test(errorCode(error) ?? "") ? MORE_FILES : undefined;
}

/** A relative path, even ".", leads nowhere from a folder that was removed meanwhile. */
function isFolderGone(error: Error): boolean {
  return "syscall" in error && error.syscall === "uv_cwd";
}

function lowerFirst(message: string): string {
  if (/^[A-Z]{2}/.test(message)) return message;
  return message.charAt(0).toLowerCase() + message.slice(1);
}
