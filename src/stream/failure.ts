import { CulvertError } from "../base/index.ts";
import type { Failure } from "./protocol.ts";

/** The error that a core tells of. */
export function failureOf({ code, message, detail }: Failure): CulvertError {
  const remote = code === "CULVERT_PEER_ABORTED";
  return new CulvertError(code, message, { remote, ...(detail && { detail }) });
}
