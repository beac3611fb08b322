import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { Machine } from "./culvert.ts";

test("the demo ends with ok, the figures, and twice the hash of the given file", async () => {
  await using machine = await Machine.create();
  const file = join(machine.folder, "given.bin");
  await writeFile(file, Buffer.alloc(400_000, "water "));
  const demo = await machine.run("demo", "given.bin");
  expect(demo.code, demo.stderr).toBe(0);
  const hash = createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
  const figures = "ok bytes=400000 seconds=[\\d.]+ loss=0\\.33 restarts=4";
  const hashes = `sha256\\(sent\\)=${hash} sha256\\(received\\)=${hash}`;
  expect(demo.stdout).toMatch(new RegExp(`^${figures} ${hashes}\n$`));
  expect(demo.stderr).toContain("the same command again");
});

/** What a clone does not have. */
const MADE_HERE = new Set([".git", ".reports", "coverage", "dist", "node_modules", "results"]);

test("make demo needs only what is committed, and says whether both files are one", async () => {
  // Not in place: it builds, and other tests are using what is built here.
  const clone = await mkdtemp(join(tmpdir(), "culvert-clone-"));
  onTestFinished(() => rm(clone, { recursive: true, force: true }), 60_000);
  await cp(".", clone, { recursive: true, filter: (path) => !MADE_HERE.has(basename(path)) });
  // Within `make e2e` this is a make within a make, which would say that it leaves the folder.
  const words = ["--no-print-directory", "demo"];
  const { stdout } = await promisify(execFile)("make", words, { cwd: clone });
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  expect(line).toMatch(/^ok bytes=\d+ seconds=[\d.]+ loss=0\.33 restarts=4 /);
  const [, sent, received] =
    /sha256\(sent\)=(\w{64}) sha256\(received\)=(\w{64})$/.exec(line) ?? [];
  expect(sent).toBeDefined();
  expect(received).toBe(sent);
});

test("the demo leaves nothing behind when it is stopped", async () => {
  await using machine = await Machine.create();
  const demo = machine.culvert("demo");
  await demo.says(/alice\$/);
  demo.process.kill("SIGINT");
  expect((await demo.ended).code).toBe(130);
});
