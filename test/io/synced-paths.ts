import { existsSync, readlinkSync } from "node:fs";
import { open } from "node:fs/promises";
import { vi } from "vitest";

/** Where Linux has names for what a process has open. */
const OPEN_FILES = "/proc/self/fd";

/** Whether this system tells which file a handle is of. */
export const tellsPaths: boolean = existsSync(OPEN_FILES);

/** The files and folders that were really synced in a run, which may look, in their order. */
export async function syncedIn(run: (soFar: string[]) => Promise<unknown>): Promise<string[]> {
  const some = await open(".");
  const prototype = Object.getPrototypeOf(some) as typeof some;
  await some.close();
  const paths: string[] = [];
  const spies = (["sync", "datasync"] as const).map((method) => {
    const real = prototype[method];
    return vi.spyOn(prototype, method).mockImplementation(async function (this: typeof some) {
      const path = readlinkSync(`${OPEN_FILES}/${this.fd}`);
      await real.call(this);
      paths.push(path);
    });
  });
  try {
    await run(paths);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return paths;
}
