import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as settled } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { utf8 } from "../../../src/base/index.ts";
import { type Entry, type FileEntry, makeManifest } from "../../../src/cli/transfer/manifest.ts";
import { Staging } from "../../../src/cli/transfer/staging.ts";
import { OPEN_FILES, openBelow } from "./open-below.ts";

let root: string;
let target: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "culvert-staging-"));
  target = join(root, "target");
  await mkdir(target);
});
afterEach(() => rm(root, { recursive: true, force: true }));

const file = (path: string, size = 5, mode = 0o640): FileEntry => {
  return { kind: "file", path, size, mode, mtimeMs: 1_600_000_000_000 };
};

function stagingOf(entries: readonly Entry[]): Staging {
  const manifest = makeManifest(entries);
  const staging = new Staging({ target, id: "abc", manifest, umask: 0o022 });
  onTestFinished(() => staging.close());
  return staging;
}

/** Everything up to giving names, with `hello` in every file. */
async function receive(entries: readonly Entry[]): Promise<Staging> {
  const staging = stagingOf(entries);
  await staging.begin();
  for (const entry of entries) {
    if (entry.kind === "file" && entry.size > 0) await staging.write(entry, 0, utf8("hello"));
  }
  await staging.sync();
  return staging;
}

describe("files on their way to their names", () => {
  test("get them, with content, mode and time, and leave nothing else", async () => {
    const entries: Entry[] = [
      { kind: "folder", path: "a", mode: 0o755 },
      file("a/b", 5, 0o777),
      file("a/empty", 0, 0o400),
    ];
    const staging = await receive(entries);
    expect(await readdir(target)).toEqual([".culvert-abc"]);
    // Whatever bits the sender wants for them, nobody else reads what is not all there.
    expect((await stat(join(target, ".culvert-abc"))).mode & 0o777).toBe(0o700);
    await staging.place({ overwrite: false });
    expect(await readdir(target, { recursive: true })).toEqual(["a", "a/b", "a/empty"]);
    expect(await readFile(join(target, "a/b"), "utf8")).toBe("hello");
    const stats = await stat(join(target, "a/b"));
    expect(stats.mode & 0o7777).toBe(0o755);
    expect(stats.mtimeMs).toBe(1_600_000_000_000);
    expect((await stat(join(target, "a/empty"))).mode & 0o777).toBe(0o600);
  });

  test("have the sender's times to the millisecond", async () => {
    const times = [1_795_862_406_066, 1_600_000_000_001, 999, 0, -1, -1_000, -1_066, -86_400_001];
    const staging = await receive(times.map((mtimeMs, at) => ({ ...file(`${at}`), mtimeMs })));
    await staging.place({ overwrite: false });
    for (const [at, mtimeMs] of times.entries()) {
      const found = await stat(join(target, `${at}`));
      expect(Math.floor(found.mtimeMs), `${mtimeMs}`).toBe(mtimeMs);
    }
  });

  test("have folders with the sender's bits and the user's umask, not this process's", async () => {
    const umask = process.umask(0o077);
    try {
      const staging = await receive([{ kind: "folder", path: "a", mode: 0o777 }, file("a/b")]);
      await staging.place({ overwrite: false });
    } finally {
      process.umask(umask);
    }
    expect((await stat(join(target, "a"))).mode & 0o777).toBe(0o755);
    expect((await stat(join(target, "a/b"))).mode & 0o777).toBe(0o640);
  });

  test("are written in pieces, repeated ones too, and read back after a restart", async () => {
    const entries = [file("a", 5), file("b", 5)];
    const [a, b] = entries as [FileEntry, FileEntry];
    const first = stagingOf(entries);
    await first.begin();
    await first.write(a, 0, utf8("hel"));
    await first.write(a, 2, utf8("llo"));
    await first.write(b, 0, utf8("wo"));
    await first.sync();
    await first.close();
    const second = stagingOf(entries);
    await second.begin();
    let kept = "";
    for await (const bytes of second.readBack(7)) kept += new TextDecoder().decode(bytes);
    expect(kept).toBe("hellowo");
    await second.write(b, 2, utf8("rld"));
    await second.place({ overwrite: false });
    expect(await readFile(join(target, "b"), "utf8")).toBe("world");
  });

  test("that were removed behind our back are missed", async () => {
    const staging = await receive([file("a")]);
    await staging.close();
    await rm(join(target, ".culvert-abc"), { recursive: true });
    await expect(staging.readBack(5).next()).rejects.toMatchObject({ code: "CULVERT_BAD_STATE" });
    await expect(staging.place({ overwrite: false })).rejects.toMatchObject({
      code: "CULVERT_BAD_STATE",
    });
  });

  test("never replace what is there, unless that was asked for", async () => {
    await writeFile(join(target, "b"), "mine");
    const staging = await receive([file("a"), file("b")]);
    expect(await staging.conflicts()).toEqual({ replaceable: ["b"], inTheWay: [] });
    await expect(staging.place({ overwrite: false })).rejects.toMatchObject({
      code: "CULVERT_FILE",
    });
    expect(await readFile(join(target, "b"), "utf8")).toBe("mine");
    await staging.place({ overwrite: true });
    expect(await readFile(join(target, "b"), "utf8")).toBe("hello");
    expect(await readFile(join(target, "a"), "utf8")).toBe("hello");
  });

  test("can get their names again after a crash between any two of them", async () => {
    const entries: Entry[] = [{ kind: "folder", path: "d", mode: 0o700 }, file("d/a"), file("d/b")];
    for (const overwrite of [false, true]) {
      const staging = await receive(entries);
      // The crash: the folder and the first file have their names, the second one has not.
      await mkdir(join(target, "d"));
      const { rename } = await import("node:fs/promises");
      await rename(join(target, ".culvert-abc", "1"), join(target, "d/a"));
      await staging.place({ overwrite });
      expect(await readdir(target, { recursive: true })).toEqual(["d", "d/a", "d/b"]);
      await rm(join(target, "d"), { recursive: true });
    }
  });

  test("get them when a run was killed that had copied one to another file system", async () => {
    const staging = await receive([file("a"), file("b")]);
    const [draft, name] = [".culvert-abc-1", "b"].map((path) => join(target, path));
    if (draft === undefined || name === undefined) throw new Error("there are two");
    await writeFile(draft, "hello");
    await link(draft, name);
    await staging.place({ overwrite: false });
    expect(await readdir(target)).toEqual(["a", "b"]);
  });

  test("do not follow a link out of the target, nor write through one", async () => {
    const outside = join(root, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "victim"), "mine");
    await symlink(outside, join(target, "d"));
    await symlink(join(outside, "victim"), join(target, "f"));
    const throughFolder = await receive([
      { kind: "folder", path: "d", mode: 0o755 },
      file("d/victim"),
    ]);
    expect((await throughFolder.conflicts()).inTheWay).toContain("d");
    for (const overwrite of [false, true]) {
      await expect(throughFolder.place({ overwrite })).rejects.toMatchObject({
        code: "CULVERT_FILE",
      });
    }
    await throughFolder.discard();
    const ontoLink = await receive([file("f")]);
    await ontoLink.place({ overwrite: true });
    expect((await lstat(join(target, "f"))).isFile()).toBe(true);
    expect(await readFile(join(outside, "victim"), "utf8")).toBe("mine");
    expect(await readlink(join(target, "d"))).toBe(outside);
  });

  test.runIf(existsSync(OPEN_FILES))(
    "stay in the target although somebody puts a link in the place of a folder meanwhile",
    async () => {
      const [outside, shared] = [join(root, "outside"), join(target, "shared")];
      await mkdir(outside);
      await mkdir(join(shared, "d"), { recursive: true });
      const many = Array.from({ length: 200 }, (_, at) => file(`shared/${at}`));
      const staging = await receive([
        { kind: "folder", path: "shared", mode: 0o755 },
        { kind: "folder", path: "shared/d", mode: 0o755 },
        ...many,
        { kind: "folder", path: "shared/d/new", mode: 0o755 },
        file("shared/d/new/a"),
        file("shared/d/victim"),
      ]);
      for (const overwrite of [false, true]) {
        const placing = staging.place({ overwrite }).catch((error: unknown) => error);
        while (!overwrite && !existsSync(join(shared, "0"))) await settled();
        await rm(join(shared, "d"), { recursive: true, force: true });
        if (!existsSync(join(shared, "d"))) await symlink(outside, join(shared, "d"));
        expect(await placing).toMatchObject({
          code: "CULVERT_FILE",
          message: expect.stringContaining(`${join(shared, "d")} is there already`),
        });
        expect(await readdir(outside)).toEqual([]);
      }
    },
  );

  test("a file does not replace a folder", async () => {
    await mkdir(join(target, "a"));
    const staging = await receive([file("a")]);
    expect(await staging.conflicts()).toEqual({ replaceable: [], inTheWay: ["a"] });
    await expect(staging.place({ overwrite: true })).rejects.toMatchObject({
      code: "CULVERT_FILE",
    });
  });

  test("names that lead out are refused before anything is written", async () => {
    for (const path of ["../x", "/etc/x", "a/../../x", ".culvert-abc/0"]) {
      await expect(stagingOf([file(path)]).begin()).rejects.toMatchObject({ code: "CULVERT_FILE" });
    }
    expect(await readdir(root)).toEqual(["target"]);
    expect(await readdir(target)).toEqual([]);
  });

  test("a path that is too long below this target is refused before it is received", async () => {
    const names = Array.from({ length: 16 }, (_, i) => "x".repeat(i === 15 ? 250 : 255));
    const entries = names.map((_, i) => {
      const path = names.slice(0, i + 1).join("/");
      return { kind: "folder", path, mode: 0o755 } as const;
    });
    await expect(stagingOf(entries).conflicts()).rejects.toMatchObject({
      code: "CULVERT_FILE",
      hint: expect.stringContaining("--into"),
    });
    expect(await stagingOf(entries.slice(0, 3)).conflicts()).toMatchObject({ inTheWay: [] });
  });

  test("a link where unfinished files go is not followed: a sender knows its name", async () => {
    const outside = join(root, "outside");
    await mkdir(outside);
    await symlink(outside, join(target, ".culvert-abc"));
    for (const entry of [file("a"), file("empty", 0), file("..", 0)]) {
      const code = "CULVERT_FILE";
      await expect(receive([entry])).rejects.toMatchObject({ code });
    }
    expect(await readdir(outside)).toEqual([]);
  });

  test.runIf(process.getuid?.() === 0)("nor is a folder of another user taken", async () => {
    const [theirs, mine] = [join(target, ".culvert-abc"), join(root, "mine")];
    await mkdir(theirs);
    await writeFile(mine, "mine");
    await symlink(mine, join(theirs, "0"));
    await chown(theirs, 12_345, 12_345);
    const hint = expect.stringContaining("--into");
    await expect(receive([file("a")])).rejects.toMatchObject({ code: "CULVERT_FILE", hint });
    expect(await readFile(mine, "utf8")).toBe("mine");
    expect(await readdir(theirs)).toEqual(["0"]);
  });

  test("what a killed run had made to see whose its folder is goes with the next one", async () => {
    await stagingOf([file("a")]).begin();
    await mkdir(join(target, ".culvert-abc-Xy12Zz"));
    await mkdir(join(target, ".culvert-other-Xy12Zz"));
    await stagingOf([file("a")]).begin();
    expect((await readdir(target)).sort()).toEqual([".culvert-abc", ".culvert-other-Xy12Zz"]);
  });

  test("more than the disk holds is refused before it is received", async () => {
    const staging = stagingOf([file("huge", 2 ** 52)]);
    await expect(staging.begin()).rejects.toThrow(
      /^no room in .*: [\d.]+ PB too little for 4.5 PB$/,
    );
    // It may go into another folder next.
    expect(await readdir(target)).toEqual([]);
  });

  test.runIf(existsSync("/dev/full"))("a disk that fills up says which one it is", async () => {
    const entry = file("a");
    const staging = stagingOf([entry]);
    await staging.begin();
    await symlink("/dev/full", join(target, ".culvert-abc/0"));
    const hint = "free some space and type the same command again to go on";
    await expect(staging.write(entry, 0, utf8("hello"))).rejects.toMatchObject({
      code: "CULVERT_FILE",
      message: expect.stringMatching(`^cannot write into ${target}: ENOSPC`),
      hint,
    });
  });

  test.runIf(existsSync(OPEN_FILES))("nothing stays open of a beginning", async () => {
    await stagingOf([file("a", 0)]).begin();
    expect(await openBelow(target)).toEqual([]);
    await rm(join(target, ".culvert-abc/0"));
    // Nothing makes a pipe durable.
    spawnSync("mkfifo", [join(target, ".culvert-abc/0")]);
    await expect(stagingOf([file("a", 0)]).begin()).rejects.toMatchObject({ code: "EINVAL" });
    expect(await openBelow(target)).toEqual([]);
  });

  test.skipIf(process.getuid?.() === 0)("a target that is not writable says so", async () => {
    await chmod(target, 0o500);
    await expect(stagingOf([file("a")]).begin()).rejects.toMatchObject({ code: "EACCES" });
  });
});
