import { chmod, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { CommandError } from "./failure.ts";

const STATE_HINT = "make the folder writable, or set XDG_STATE_HOME to one that is";

/**
 * Makes a folder, and those that it lies in, unless they are there. Node's own recursion never ends
 * where the system says ENOENT of what cannot be made, as in /proc.
 *
 * @param mode permission bits of what is made, whatever the umask of this process
 * @throws Error of the system; nothing is thrown for a folder that is there
 */
export async function makeFolder(folder: string, mode: number): Promise<void> {
  const missing: string[] = [];
  for (let path = folder; !(await isThere(path)); path = dirname(path)) missing.push(path);
  for (const path of missing.reverse()) {
    try {
      await mkdir(path, { mode });
      await chmod(path, mode);
    } catch (error) {
      // Somebody else may have made it in the meantime.
      if (!(await isThere(path))) throw error;
    }
  }
}

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

/** Whether a folder is there; anything but one, or but its absence, is an error. */
async function isThere(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
  throw Object.assign(new Error(`ENOTDIR: not a directory, mkdir '${path}'`), {
    code: "ENOTDIR",
    errno: -20,
    syscall: "mkdir",
  });
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
