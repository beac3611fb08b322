import { appendFile, mkdir, mkdtemp, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { concatBytes } from "../../../src/base/index.ts";
import { type Entry, encodeHeader, makeManifest } from "../../../src/cli/transfer/manifest.ts";
import { readContents, type Source, scanSource } from "../../../src/cli/transfer/source.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "culvert-source-"));
  await mkdir(join(root, "d/sub"), { recursive: true });
  await writeFile(join(root, "d/b"), "bbb");
  await writeFile(join(root, "d/a"), "a");
  await writeFile(join(root, "d/sub/empty"), "");
  await writeFile(join(root, "one"), "x".repeat(100_000));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function contents(source: Source): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readContents(source)) chunks.push(chunk);
  return concatBytes(...chunks);
}

describe("what is sent", () => {
  test("is listed in one order, each folder before what is in it", async () => {
    const source = await scanSource([join(root, "d"), join(root, "one")]);
    const paths = source.manifest.entries.map(({ path }) => path);
    expect(paths).toEqual(["d", "d/a", "d/b", "d/sub", "d/sub/empty", "one"]);
    expect(source.manifest.contentBytes).toBe(100_004);
    const again = await scanSource([join(root, "d"), join(root, "one")]);
    expect(encodeHeader(again.manifest)).toEqual(encodeHeader(source.manifest));
  });

  test("is read one file after the other", async () => {
    const source = await scanSource([join(root, "d"), join(root, "one")]);
    const all = new TextDecoder().decode(await contents(source));
    expect(all).toBe(`abbb${"x".repeat(100_000)}`);
  });

  test("leaves links inside folders out, and follows the ones that are named", async () => {
    await symlink("/etc", join(root, "d/link"));
    await symlink(join(root, "one"), join(root, "named"));
    const source = await scanSource([join(root, "d"), join(root, "named")]);
    expect(source.skipped).toEqual([join(root, "d/link")]);
    expect(source.manifest.entries.map(({ path }) => path)).toContain("named");
  });

  test("that is not there, not a file, or twice under one name is refused", async () => {
    await writeFile(join(root, "d/one"), "");
    const refused = [["missing"], ["d", "missing"], ["one", "d/one"]];
    for (const paths of refused) {
      const scan = scanSource(paths.map((path) => join(root, path)));
      await expect(scan, paths.join()).rejects.toMatchObject({ code: "CULVERT_FILE" });
    }
    await expect(scanSource(["/dev/null"])).rejects.toThrow("neither a file nor a folder");
  });

  test("under one name is told by the paths that were typed", async () => {
    await writeFile(join(root, "d/one"), "");
    const [one, other] = [join(root, "one"), join(root, "d/one")];
    await expect(scanSource([one, other])).rejects.toMatchObject({
      message: `"${one}" and "${other}" would have one name at the receiver`,
      hint: expect.stringContaining("name each path once"),
    });
  });

  test("has no name that no transfer can carry, and no hint that another one could", async () => {
    await writeFile(join(root, "d/two\nlines"), "");
    await expect(scanSource([join(root, "d")])).rejects.toMatchObject({
      message: expect.stringContaining("a control character in a name"),
      hint: "rename it, or move it away",
    });
  });

  test("is never the current folder by an empty path", async () => {
    await expect(scanSource([join(root, "one"), ""])).rejects.toMatchObject({
      code: "CULVERT_USAGE",
      message: "a path is empty",
    });
  });

  test("that is too much is no longer looked at once that is known", async () => {
    // What is behind the limit could not be sent for another reason, if it were looked at.
    await writeFile(Buffer.concat([Buffer.from(join(root, "d/sub/caf")), Buffer.of(0xe9)]), "");
    const entriesMax = 4; // d, a, b and sub
    const scan = scanSource([join(root, "d")], { entriesMax, listBytesMax: 1_000 });
    await expect(scan).rejects.toMatchObject({ code: "CULVERT_TOO_LARGE" });
    const names = scanSource([join(root, "d")], { entriesMax: 100, listBytesMax: 8 });
    await expect(names).rejects.toMatchObject({ code: "CULVERT_TOO_LARGE" });
  });

  test("may be as much as a transfer takes", async () => {
    const source = await scanSource([join(root, "d")], { entriesMax: 5, listBytesMax: 200 });
    expect(source.manifest.entries).toHaveLength(5);
  });

  test("is named and not UTF-8 is refused with its reason", async () => {
    // What a process is given of such a name, it has lost a part of already.
    await expect(scanSource([join(root, "caf\ufffd")])).rejects.toMatchObject({
      code: "CULVERT_FILE",
      message: expect.stringContaining("not UTF-8"),
      hint: "rename it",
    });
  });

  test("whose name is not UTF-8 is refused with its reason", async () => {
    const name = Buffer.concat([Buffer.from(join(root, "d/caf")), Buffer.of(0xe9)]);
    await writeFile(name, "");
    await expect(scanSource([join(root, "d")])).rejects.toMatchObject({
      code: "CULVERT_FILE",
      message: expect.stringContaining("not UTF-8"),
      hint: "rename it",
    });
  });

  test("that is to come on stdin is a matter of another command", async () => {
    await expect(scanSource([join(root, "-")])).rejects.toMatchObject({
      code: "CULVERT_FILE",
      hint: expect.stringContaining("culvert pipe"),
    });
  });

  test("that is gone when it is to be read has changed", async () => {
    const source = await scanSource([join(root, "d"), join(root, "one")]);
    for (const name of ["one", "d/sub/empty"]) {
      await rm(join(root, name));
      await expect(contents(source)).rejects.toMatchObject({
        message: `${join(root, name)} has changed since the transfer began`,
        hint: expect.stringContaining("--new"),
      });
    }
  });

  test("that was empty and no longer is has changed", async () => {
    const source = await scanSource([join(root, "d/sub/empty")]);
    await appendFile(join(root, "d/sub/empty"), "x");
    await expect(contents(source)).rejects.toMatchObject({ code: "CULVERT_FILE" });
  });

  test.skipIf(process.platform !== "linux")(
    "is not sent empty when its size is made up",
    async () => {
      const refused = {
        message: "/proc/version has more in it than its size tells",
        hint: expect.stringContaining("pipe --send-only"),
      };
      // Before anything is said or put; and if that did not find it, when it is read.
      await expect(scanSource(["/proc/version"])).rejects.toMatchObject(refused);
      const entry = { kind: "file", path: "v", mode: 0o444, size: 0 } as const;
      const { mtimeMs } = await stat("/proc/version");
      const file: Entry = { ...entry, mtimeMs: Math.floor(mtimeMs) };
      const locations = new Map([[file, "/proc/version"]]);
      const source = { manifest: makeManifest([file]), locations, skipped: [] };
      await expect(contents(source)).rejects.toMatchObject(refused);
    },
  );

  test("that changes while it is read is noticed: shorter, longer, or only newer", async () => {
    const one = join(root, "one");
    const source = await scanSource([one]);
    await utimes(one, 1, 1);
    await expect(contents(source)).rejects.toThrow("has changed");
    const fresh = await scanSource([one]);
    await appendFile(one, "more");
    await expect(contents(fresh)).rejects.toThrow("has changed");
    await writeFile(one, "short");
    await expect(contents(fresh)).rejects.toThrow("has changed");
  });
});
