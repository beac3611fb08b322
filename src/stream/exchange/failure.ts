import { CulvertError, type ErrorCode } from "../../base/index.ts";
import type { Failure } from "./protocol.ts";

/** The error that a core tells of. */
export function failureOf({ code, message, detail }: Failure): CulvertError {
  const remote = code === "CULVERT_PEER_ABORTED";
  return new CulvertError(code, message, { remote, ...(detail && { detail }) });
}

const SETBACKS: Partial<Record<ErrorCode, string>> = {
  CULVERT_UNREACHABLE: "the Map cannot be reached",
  CULVERT_TIMEOUT: "the Map does not answer",
  CULVERT_BUSY: "the Map is busy",
  CULVERT_FULL: "the Map has no room for new records",
};

/** The words of the warning that requests fail; the stream itself goes on. */
export function describeSetback(code: ErrorCode): string {
  return `${SETBACKS[code] ?? "the Map did not take a request"}; it is tried again`;
}
