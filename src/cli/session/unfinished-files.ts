import { readdir, rm, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";

/** How the folder for unfinished files in a target begins its name; then comes its id. */
export const STAGING_PREFIX = ".culvert-";

/** The folder for the unfinished files of a transfer, in the folder that they go to. */
export function stagingFolder(target: string, id: string): string {
  return join(target, STAGING_PREFIX + id);
}

/** Removes what runs that were killed had made to see whose the folder is: they are empty. */
export async function sweepBeside(target: string, id: string): Promise<void> {
  const ours = `${basename(stagingFolder(target, id))}-`;
  const names = await readdir(target).catch(() => []); // one may write into what one cannot list
  for (const name of names) {
    if (name.startsWith(ours)) await rmdir(join(target, name)).catch(() => {}); // if it is one
  }
}

/** Removes all that there is of a transfer in its target, but what has its name. */
export async function removeUnfinished(target: string, id: string): Promise<void> {
  await rm(stagingFolder(target, id), { recursive: true, force: true });
  await sweepBeside(target, id);
}
