import { statfs } from "node:fs/promises";
import { makeFolder } from "./make-folder.ts";

/** Makes a folder, and what leads to it, that only this user can look into. */
export async function makePrivateFolder(path: string): Promise<void> {
  await makeFolder(path, 0o700);
}

/** Bytes of the disk at `path` that an ordinary user may still fill. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
