import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { HeldFolders } from "../../../src/cli/transfer/held-folders.ts";
import { OPEN_FILES, openBelow } from "./open-below.ts";

test.runIf(existsSync(OPEN_FILES))(
  "no folder stays open where one of them cannot be made durable",
  async () => {
    const target = await mkdtemp(join(tmpdir(), "culvert-held-"));
    await mkdir(join(target, "a/b/c"), { recursive: true });
    const folders = await HeldFolders.open(target);
    await folders.find("a/b/c/file");
    expect(await openBelow(target)).toHaveLength(4);
    const other = await open(tmpdir());
    await other.close();
    const sync = vi.spyOn(Object.getPrototypeOf(other), "sync");
    sync.mockRejectedValueOnce(new Error("the disk is broken"));
    await expect(folders.close()).rejects.toThrow("the disk is broken");
    expect(sync).toHaveBeenCalledTimes(4);
    sync.mockRestore();
    expect(await openBelow(target)).toEqual([]);
    await rm(target, { recursive: true });
  },
);
