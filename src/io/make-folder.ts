import { chmod, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "./durable-file.ts";
import { errorCode } from "./error-code.ts";

/**
 * Makes a folder, and those that it lies in, unless they are there; what is made is durable then.
 * Node's own recursion never ends where the system says ENOENT of what cannot be made, as in /proc.
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
    await syncName(path);
  }
}

/** A file in a folder is lost with the name of that, however often it was synced itself. */
async function syncName(path: string): Promise<void> {
  try {
    await syncFolder(dirname(path));
  } catch (error) {
    // Who may write into a folder, and not read it, cannot open it.
    if (errorCode(error) !== "EACCES") throw error;
  }
}

/** Whether a folder is there; anything but one, or but its absence, is an error. */
async function isThere(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
  throw Object.assign(new Error(`ENOTDIR: not a directory, mkdir '${path}'`), {
    code: "ENOTDIR",
    errno: -20,
    syscall: "mkdir",
  });
}
