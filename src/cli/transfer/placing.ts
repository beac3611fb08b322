import { chmod, link, lstat, mkdir, rename, unlink } from "node:fs/promises";
import { CulvertError } from "../../base/index.ts";
import { exists } from "../../io/durable-file.ts";
import { CommandError } from "../failure.ts";

/** The owner can always enter and write what was received, whatever the sender's bits say. */
const FOLDER_MODE_ALWAYS = 0o700;

/** File systems without hard links say one of these. */
const NO_LINKS: readonly unknown[] = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/**
 * Moves a finished file to its name, never onto something that is there: a link is made in one step
 * or not at all. Once it is done it can be repeated, as after a crash.
 *
 * @throws CulvertError `CULVERT_FILE` when the name is taken
 */
export async function placeFile(finished: string, destination: string): Promise<void> {
  try {
    await link(finished, destination);
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return await requirePlaced(destination);
    if (code === "EEXIST" && (await isSameFile(finished, destination))) return unlink(finished);
    if (code === "EEXIST") throw taken(destination);
    if (!NO_LINKS.includes(code)) throw error;
    if (await exists(destination)) throw taken(destination);
    return await rename(finished, destination);
  }
  await unlink(finished);
}

/** Moves a finished file to its name, onto the file or link that may be there. */
export async function replaceFile(finished: string, destination: string): Promise<void> {
  try {
    await rename(finished, destination);
  } catch (error) {
    const code = systemCode(error);
    if (code === "EISDIR" || code === "ENOTEMPTY") throw taken(destination);
    if (code !== "ENOENT") throw error;
    await requirePlaced(destination);
  }
}

/**
 * Makes a folder, or takes the one that is there.
 *
 * @param mode its permission bits, whatever the umask of this process
 * @throws CulvertError `CULVERT_FILE` for anything else of that name: a link could lead elsewhere
 */
export async function placeFolder(destination: string, mode: number): Promise<void> {
  const bits = mode | FOLDER_MODE_ALWAYS;
  try {
    await mkdir(destination, { mode: bits });
    await chmod(destination, bits);
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw error;
    if (!(await lstat(destination)).isDirectory()) throw taken(destination);
  }
}

/** The error for a name that something else has. */
export function taken(destination: string): CommandError {
  return new CommandError(
    "CULVERT_FILE",
    `${destination} is there already`,
    "type the same command with --force to replace files, or move it out of the way",
  );
}

async function requirePlaced(destination: string): Promise<void> {
  if (await exists(destination)) return;
  throw new CulvertError("CULVERT_BAD_STATE", `the received bytes of ${destination} are gone`);
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = [await lstat(a), await lstat(b)];
  return first.ino === second.ino && first.dev === second.dev;
}

function systemCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
