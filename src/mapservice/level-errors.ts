import { CulvertError } from "../base/index.ts";

/**
 * What went wrong in `level`, in our terms: `CULVERT_STATE_IN_USE`, `CULVERT_BAD_STATE`,
 * `CULVERT_FULL` for a full disk, otherwise `CULVERT_FILE`.
 */
export function asStoreError(error: unknown): CulvertError {
  if (error instanceof CulvertError) return error;
  const { codes, messages } = chainOf(error);
  const cause = error;
  if (codes.includes("LEVEL_LOCKED")) {
    return new CulvertError("CULVERT_STATE_IN_USE", undefined, { cause });
  }
  if (codes.includes("LEVEL_CORRUPTION")) {
    return new CulvertError("CULVERT_BAD_STATE", "the store is damaged", { cause });
  }
  if (messages.some((message) => /no space left|quota exceeded|file too large/i.test(message))) {
    return new CulvertError("CULVERT_FULL", "the disk is full", { cause });
  }
  return new CulvertError("CULVERT_FILE", "the store cannot be read or written", { cause });
}

/**
 * The same of a store that is being opened, with where it is. A file of it that is gone or cut is
 * damage then: the folder has been made by now.
 */
export function asOpeningError(error: unknown, path: string): CulvertError {
  const known = asStoreError(error);
  const cause = error;
  const isCut = chainOf(error).messages.some((message) => CUT.test(message));
  if (known.code === "CULVERT_BAD_STATE" || (known.code === "CULVERT_FILE" && isCut)) {
    return new CulvertError("CULVERT_BAD_STATE", `the store in ${path} is damaged`, { cause });
  }
  if (known.code !== "CULVERT_FILE") return known;
  return new CulvertError(known.code, `the store in ${path} cannot be read or written`, { cause });
}

/** What the engine says of a file that is not there, and of a table that is too short. */
const CUT = /^IO error: .*(no such file or directory|invalid argument)$/i;

/** Codes and messages of an error and of what caused it: `level` wraps the interesting one. */
function chainOf(error: unknown): { codes: unknown[]; messages: string[] } {
  const codes: unknown[] = [];
  const messages: string[] = [];
  let at: unknown = error;
  for (let depth = 0; depth < 4 && at instanceof Error; depth++) {
    if ("code" in at) codes.push(at.code);
    messages.push(at.message);
    at = at.cause;
  }
  return { codes, messages };
}
