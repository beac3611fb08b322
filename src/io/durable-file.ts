import { lstat, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { CulvertError } from "../base/index.ts";
import { errorCode } from "./error-code.ts";

/**
 * Replaces a file in one step: after a crash it has its old bytes or the new ones. Mode 0600.
 *
 * @param draft where the bytes lie until then: each writer's own, where there are several
 */
export async function writeDurably(
  path: string,
  bytes: Uint8Array,
  draft: string = `${path}.new`,
): Promise<void> {
  try {
    await writeSynced(draft, bytes);
    await rename(draft, path);
  } catch (error) {
    // Drafts of other names would stay for ever, one for each attempt.
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, "w", 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The bytes of a file, or `undefined` when there is none of that name. */
export async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * As {@link readIfThere}, for what a program goes on from: without it, it would begin anew.
 *
 * @throws CulvertError `CULVERT_FILE` when it is there and cannot be read
 */
export async function readState(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readIfThere(path);
  } catch (cause) {
    throw new CulvertError("CULVERT_FILE", `cannot read ${path}`, { cause });
  }
}

/** True when something of that name is there, be it a link to nowhere. */
export async function exists(path: string): Promise<boolean> {
  return await lstat(path).then(
    () => true,
    () => false,
  );
}

/** Makes the names in a folder durable, where the system can. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows does not open folders; its file systems log their names themselves.
  if (process.platform === "win32") return;
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
