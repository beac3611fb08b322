import { existsSync } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeFolder } from "../../src/io/make-folder.ts";
import { syncedIn, tellsPaths } from "./synced-paths.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "culvert-folder-"));
});
afterEach(() => rm(root, { recursive: true }));

describe("a folder that is to be made", () => {
  test("is made with those that it lies in, once or at once by several", async () => {
    const folder = join(root, "a/b/c");
    await Promise.all([1, 2, 3].map(() => makeFolder(folder, 0o700)));
    await makeFolder(folder, 0o755);
    for (const made of [folder, join(root, "a")]) {
      expect((await stat(made)).mode & 0o777).toBe(0o700);
    }
  });

  test("has the bits that it is given, whatever this process gives to others", async () => {
    const umask = process.umask(0o077);
    try {
      await makeFolder(join(root, "x/y"), 0o751);
    } finally {
      process.umask(umask);
    }
    for (const made of ["x", "x/y"])
      expect((await stat(join(root, made))).mode & 0o777).toBe(0o751);
  });

  test.runIf(tellsPaths)(
    "is there after a power failure, as are those that it lies in",
    async () => {
      const make = (): Promise<void> => makeFolder(join(root, "a/b/c"), 0o700);
      // A name is durable once the folder that it is in is.
      expect(await syncedIn(make)).toEqual(["", "a", "a/b"].map((name) => join(root, name)));
      expect(await syncedIn(make)).toEqual([]);
    },
  );

  test("cannot lie in a file, nor be one", async () => {
    await writeFile(join(root, "file"), "");
    for (const folder of ["file", "file/x", "file/x/y"]) {
      await expect(makeFolder(join(root, folder), 0o700)).rejects.toMatchObject({
        code: "ENOTDIR",
      });
    }
  });

  test.runIf(existsSync("/proc/self"))("is given up where none can be made", async () => {
    await expect(makeFolder("/proc/culvert/x", 0o700)).rejects.toMatchObject({ code: "ENOENT" });
  });
});
