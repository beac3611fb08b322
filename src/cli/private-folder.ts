import { makeFolder } from "../io/make-folder.ts";
import { CommandError } from "./failure.ts";

const STATE_HINT = "make the folder writable, or set XDG_STATE_HOME to one that is";

/**
 * Makes a folder that nobody else can enter.
 *
 * @param hint what to do where that cannot be
 * @throws CulvertError `CULVERT_FILE`
 */
export async function makePrivateFolder(folder: string, hint: string = STATE_HINT): Promise<void> {
  try {
    await makeFolder(folder, 0o700);
  } catch (error) {
    throw unusable(folder, error, hint);
  }
}

/** The error for a folder of ours that something is in the way of, or that is somebody else's. */
export function unusable(folder: string, cause: unknown, hint: string = STATE_HINT): CommandError {
  return new CommandError("CULVERT_FILE", `cannot use the folder ${folder}`, hint, cause);
}
