import { constants } from "node:fs";
import {
  chmod,
  copyFile,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  rename,
  rm,
  unlink,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CulvertError } from "../../base/index.ts";
import { exists, syncFolder } from "../../io/durable-file.ts";
import { errorCode } from "../../io/error-code.ts";
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
  const draft = draftOf(finished, destination);
  const own = [finished, draft];
  try {
    await giveName(finished, destination, own);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") await requirePlaced(destination);
    else if (code !== "EXDEV") throw error;
    else {
      await copyDurably(finished, draft);
      await giveName(draft, destination, own);
      await syncFolder(dirname(destination));
    }
  }
  for (const name of own) await rm(name, { force: true });
}

/** Moves a finished file to its name, onto the file or link that may be there. */
export async function replaceFile(finished: string, destination: string): Promise<void> {
  try {
    await rename(finished, destination);
  } catch (error) {
    const code = errorCode(error);
    if (code === "EISDIR" || code === "ENOTEMPTY") throw taken(destination);
    if (code === "ENOENT") return await requirePlaced(destination);
    if (code !== "EXDEV") throw error;
    const draft = draftOf(finished, destination);
    await copyDurably(finished, draft);
    await replaceFile(draft, destination);
    await syncFolder(dirname(destination));
    await unlink(finished);
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
    if (errorCode(error) !== "EEXIST") throw error;
    if (!(await lstat(destination)).isDirectory()) throw taken(destination);
  }
}

/**
 * Sets when a file was changed. The system is told in seconds, which are cut to whole microseconds:
 * without half of one more, many times come out just below the millisecond that they are. As a
 * number, a time before 1970 would be taken for now.
 */
export async function setTime(handle: FileHandle, mtimeMs: number): Promise<void> {
  const seconds = String((mtimeMs + 0.0005) / 1000);
  await handle.utimes(seconds, seconds);
}

/** A name of a transfer has something else, which nobody has allowed to replace. */
export class NameTaken extends CommandError {
  constructor(message: string, hint: string) {
    super("CULVERT_FILE", message, hint);
  }
}

/** The error for a name that something else has. */
export function taken(destination: string): NameTaken {
  const hint = "type the same command with --force to replace files, or move it out of the way";
  return new NameTaken(`${destination} is there already`, hint);
}

/** Links or moves a file to a name that nothing has, unless the name is one of `own` already. */
async function giveName(file: string, destination: string, own: readonly string[]): Promise<void> {
  try {
    await link(file, destination);
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST" && (await isOneOf(destination, own))) return;
    if (code === "EEXIST") throw taken(destination);
    if (!NO_LINKS.includes(code)) throw error;
    if (await exists(destination)) throw taken(destination);
    await rename(file, destination);
  }
}

/**
 * Where a file is copied to when its name is in another file system, as below a folder that was
 * there: next to the name, under one that no peer can give.
 */
function draftOf(finished: string, destination: string): string {
  const name = `${basename(dirname(finished))}-${basename(finished)}`;
  return join(dirname(destination), name);
}

async function copyDurably(from: string, to: string): Promise<void> {
  await rm(to, { force: true }); // a part of it, of a run that was killed
  await copyFile(from, to, constants.COPYFILE_EXCL);
  const { mode, mtimeMs } = await lstat(from);
  const handle = await open(to, "r+");
  try {
    await handle.chmod(mode);
    await setTime(handle, mtimeMs);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function requirePlaced(destination: string): Promise<void> {
  if (await exists(destination)) return;
  throw new CulvertError("CULVERT_BAD_STATE", `the received bytes of ${destination} are gone`);
}

/** Whether what is there has one of these names too, since an earlier run did not get further. */
async function isOneOf(destination: string, names: readonly string[]): Promise<boolean> {
  const { ino, dev } = await lstat(destination);
  for (const name of names) {
    const stats = await lstat(name).catch(() => undefined);
    if (stats?.ino === ino && stats.dev === dev) return true;
  }
  return false;
}
