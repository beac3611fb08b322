import { constants } from "node:fs";
import {
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
import { exists, syncFolder } from "../../io/durable-file.ts";
import { errorCode } from "../../io/error-code.ts";
import type { Place } from "./held-folders.ts";
import { lost } from "./lost.ts";
import { taken } from "./name-taken.ts";

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
export async function placeFile(finished: string, place: Place): Promise<void> {
  const draft = draftOf(finished, place);
  const own = [finished, draft.at];
  try {
    await giveName(finished, place, own);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") await requirePlaced(place);
    else if (code !== "EXDEV") throw error;
    else {
      await copyDurably(finished, draft.at);
      await giveName(draft.at, place, own);
      await syncFolder(dirname(place.at));
    }
  }
  for (const name of own) await rm(name, { force: true });
}

/** Moves a finished file to its name, onto the file or link that may be there. */
export async function replaceFile(finished: string, place: Place): Promise<void> {
  try {
    await rename(finished, place.at);
  } catch (error) {
    const code = errorCode(error);
    if (code === "EISDIR" || code === "ENOTEMPTY") throw taken(place.path);
    if (code === "ENOENT") return await requirePlaced(place);
    if (code !== "EXDEV") throw error;
    const draft = draftOf(finished, place);
    await copyDurably(finished, draft.at);
    await replaceFile(draft.at, place);
    await syncFolder(dirname(place.at));
    await unlink(finished);
  }
}

/**
 * Makes a folder, or takes the one that is there.
 *
 * @param mode its permission bits, whatever the umask of this process
 * @throws CulvertError `CULVERT_FILE` for anything else of that name: a link could lead elsewhere
 */
export async function placeFolder({ at, path }: Place, mode: number): Promise<void> {
  const bits = mode | FOLDER_MODE_ALWAYS;
  try {
    await mkdir(at, { mode: bits });
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    if (!(await lstat(at)).isDirectory()) throw taken(path);
    return;
  }
  if (process.platform === "win32") return; // which has no such bits
  const handle = await open(at, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await handle.chmod(bits);
  } finally {
    await handle.close();
  }
}

/**
 * Sets when a file was changed. The system is told in seconds, which Node cuts to whole
 * microseconds, or to nanoseconds in some versions from 24 on: without half a microsecond more,
 * many times come out just below the millisecond that they are. Whole seconds are exact. As a
 * number, a time before 1970 would be taken for now.
 */
export async function setTime(handle: FileHandle, mtimeMs: number): Promise<void> {
  const isExact = mtimeMs % 1000 === 0;
  const seconds = String((isExact ? mtimeMs : mtimeMs + 0.0005) / 1000);
  await handle.utimes(seconds, seconds);
}

/** Links or moves a file to a name that nothing has, unless the name is one of `own` already. */
async function giveName(file: string, { at, path }: Place, own: readonly string[]): Promise<void> {
  try {
    await link(file, at);
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST" && (await isOneOf(at, own))) return;
    if (code === "EEXIST") throw taken(path);
    if (!NO_LINKS.includes(code)) throw error;
    if (await exists(at)) throw taken(path);
    await rename(file, at);
  }
}

/**
 * Removes what a run that was killed has copied to another file system. It has no name yet, and
 * nobody else would find it: it is next to where that was to be.
 */
export async function removeDraft(finished: string, place: Place): Promise<void> {
  await rm(draftOf(finished, place).at, { force: true });
}

/**
 * Where a file is copied to when its name is in another file system, as below a folder that was
 * there: next to the name, under one that no peer can give.
 */
function draftOf(finished: string, { at, path }: Place): Place {
  const name = `${basename(dirname(finished))}-${basename(finished)}`;
  return { at: join(dirname(at), name), path: join(dirname(path), name) };
}

async function copyDurably(from: string, to: string): Promise<void> {
  await rm(to, { force: true }); // a part of it, of a run that was killed
  await copyFile(from, to, constants.COPYFILE_EXCL);
  const { mode, mtimeMs } = await lstat(from);
  const handle = await open(to, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    await handle.chmod(mode);
    await setTime(handle, mtimeMs);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function requirePlaced({ at, path }: Place): Promise<void> {
  if (await exists(at)) return;
  throw lost(`the received bytes of ${path} are gone`);
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
