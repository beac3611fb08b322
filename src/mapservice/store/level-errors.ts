import { CulvertError } from "../../base/index.ts";
import { causesOf, knownLevelError } from "../../io/level-errors.ts";

/**
 * What went wrong in `level`, in our terms: `CULVERT_STATE_IN_USE`, `CULVERT_BAD_STATE`,
 * `CULVERT_FULL` for a full disk, otherwise `CULVERT_FILE`.
 */
export function asStoreError(error: unknown): CulvertError {
  const known = knownLevelError(error, "store");
  if (known !== undefined) return known;
  const cause = error;
  if (says(error, /no space left|quota exceeded|file too large/i)) {
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
  const isCut = says(error, CUT);
  if (known.code === "CULVERT_BAD_STATE" || (known.code === "CULVERT_FILE" && isCut)) {
    const { detail } = known;
    const isForeign = detail !== undefined && "version" in detail;
    const what = isForeign ? "of another version of Culvert" : "damaged";
    const message = `the store in ${path} is ${what}`;
    return new CulvertError("CULVERT_BAD_STATE", message, { cause, ...(detail && { detail }) });
  }
  if (known.code !== "CULVERT_FILE") return known;
  return new CulvertError(known.code, `the store in ${path} cannot be read or written`, { cause });
}

/** What the engine says of a file that is not there, and of a table that is too short. */
const CUT = /^IO error: .*(no such file or directory|invalid argument)$/i;

/** Whether an error, or what caused it, says such words. */
function says(error: unknown, words: RegExp): boolean {
  return causesOf(error).some(({ message }) => words.test(message));
}
