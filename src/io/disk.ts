import { statfs } from "node:fs/promises";

/** Bytes of the disk at `path` that an ordinary user may still fill. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
