import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";

/** Where Linux names what a process has open. */
export const OPEN_FILES = "/proc/self/fd";

/** What this process has open in a folder, by its path. */
export async function openBelow(folder: string): Promise<string[]> {
  const names = (await readdir(OPEN_FILES)).map((fd) => join(OPEN_FILES, fd));
  const paths = await Promise.all(names.map((name) => readlink(name).catch(() => "")));
  return paths.filter((path) => path.startsWith(folder));
}
