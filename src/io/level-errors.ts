import { CulvertError } from "../base/index.ts";
import { errorCode } from "./error-code.ts";

/**
 * What went wrong in `level`, in our terms, where that is the same for all that is kept in it:
 * `CULVERT_STATE_IN_USE` or `CULVERT_BAD_STATE`; else `undefined`.
 *
 * @param what is kept there, as in "the journal is damaged"
 */
export function knownLevelError(error: unknown, what: string): CulvertError | undefined {
  if (error instanceof CulvertError) return error;
  const codes = causesOf(error).map(errorCode);
  if (codes.includes("LEVEL_LOCKED")) {
    return new CulvertError("CULVERT_STATE_IN_USE", undefined, { cause: error });
  }
  if (codes.includes("LEVEL_CORRUPTION")) {
    return new CulvertError("CULVERT_BAD_STATE", `the ${what} is damaged`, { cause: error });
  }
  return undefined;
}

/** An error and what caused it: `level` wraps the interesting one. */
export function causesOf(error: unknown): Error[] {
  const causes: Error[] = [];
  let at: unknown = error;
  for (let depth = 0; depth < 4 && at instanceof Error; depth++) {
    causes.push(at);
    at = at.cause;
  }
  return causes;
}
