import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bech32m } from "@scure/base";
import { describe, expect, test } from "vitest";
import { encodeCbor } from "../src/codec/index.ts";
import { type Culvert, type Ending, expectFile, Machine } from "./culvert.ts";

/** Whether this machine lets a user mount a small disk of their own. */
const canMount = spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;

/** A Map, and somebody who has begun to send a file. */
async function sending(
  machine: Machine,
  bytes: number,
): Promise<{ endpoint: string; sender: Culvert; ticket: string; content: Uint8Array }> {
  const { endpoint } = await machine.map("--memory", "--cell", "4096");
  const content = randomBytes(bytes);
  await writeFile(join(machine.folder, "photo.jpg"), content);
  const sender = machine.culvert("send", "photo.jpg", "--map", endpoint);
  const [ticket] = await sender.says(/culvert1[a-z0-9]+/);
  return { endpoint, sender, ticket, content };
}

/** An error on stderr, in the form of the command, and its hint. */
function expectFailure(run: Culvert & Ending, code: number, words: RegExp): void {
  expect(run.code, run.stderr).toBe(code);
  expect(run.stderr).toMatch(/^culvert: error: .+\nculvert: hint: .+$/m);
  expect(run.stderr).toMatch(words);
  expect(run.stderr).not.toContain("    at ");
}

describe("a ticket", () => {
  const encode = (bytes: Uint8Array): string =>
    bech32m.encode("culvert", bech32m.toWords(bytes), 400);
  const nowhere = ["--map", "127.0.0.1:1"];

  test.each([
    ["of another version", Uint8Array.of(2, 1, ...new Uint8Array(32)), /of version 2/],
    ["for another command", Uint8Array.of(1, 2, ...new Uint8Array(32)), /for "culvert pipe"/],
    ["for no command", Uint8Array.of(1, 9, ...new Uint8Array(32)), /for a command/],
    ["that is too short", Uint8Array.of(1, 1, ...new Uint8Array(31)), /not as long/],
  ])("%s is exit status 3", async (_what, bytes, words) => {
    await using machine = await Machine.create();
    expectFailure(await machine.run("receive", encode(bytes), ...nowhere), 3, words);
  });

  test("with a typo is exit status 3", async () => {
    await using machine = await Machine.create();
    const ticket = encode(Uint8Array.of(1, 1, ...new Uint8Array(32)));
    const mistyped = ticket.replace(/.$/, (last) => (last === "q" ? "p" : "q"));
    expectFailure(await machine.run("receive", mistyped, ...nowhere), 3, /typo/);
  });
});

describe("a target", () => {
  test("that cannot be written is found before anything is asked of the network", async () => {
    await using machine = await Machine.create();
    await writeFile(join(machine.folder, "file"), "");
    const ticket = bech32m.encode(
      "culvert",
      bech32m.toWords(Uint8Array.of(1, 1, ...new Uint8Array(32))),
      400,
    );
    for (const into of ["file", "file/x", "/proc/culvert/x"]) {
      const run = await machine.run("receive", ticket, "--map", "127.0.0.1:1", "--into", into);
      expectFailure(run, 1, /cannot write into/);
    }
  });

  test.runIf(canMount)("without room is told, and the transfer goes on elsewhere", async () => {
    await using machine = await Machine.create();
    const { endpoint, sender, ticket, content } = await sending(machine, 900_000);
    await mkdir(join(machine.folder, "inbox"));
    const words = ["receive", ticket, "--map", endpoint, "--into", "inbox"];
    const full = machine.onSmallDisk({ folder: "inbox", bytes: 400_000 }, ...words);
    expectFailure(Object.assign(full, await full.ended), 1, /room|space/);
    const again = await machine.run(...words);
    expect(again.code, again.stderr).toBe(0);
    expect((await sender.ended).code).toBe(0);
    await expectFile(join(machine.folder, "inbox/photo.jpg"), content);
  });

  test.runIf(canMount)("that another file system lies in takes files there, too", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    await mkdir(join(machine.folder, "album"));
    await writeFile(join(machine.folder, "album/photo.jpg"), "hello", { mode: 0o604 });
    const listed = join(machine.folder, "listed");
    await mkdir(join(machine.folder, "inbox/album"), { recursive: true });
    for (const force of [[], ["--force"]]) {
      const sender = machine.culvert("send", "album", "--map", endpoint);
      const [ticket] = await sender.says(/culvert1[a-z0-9]+/);
      const disk = machine.smallDisk({ folder: "inbox/album", bytes: 100_000 });
      const shell = `${force.length > 0 ? "echo old > inbox/album/photo.jpg;" : ""} "$@" &&
        ls -lA inbox/album > ${listed} && cat inbox/album/photo.jpg >> ${listed}`;
      const words = ["receive", ticket, "--map", endpoint, "--into", "inbox", ...force];
      const receiver = machine.start(words, { launcher: [...disk, "sh", "-c", shell, "sh"] });
      expect((await receiver.ended).code, receiver.stderr).toBe(0);
      expect((await sender.ended).code, sender.stderr).toBe(0);
      expect(await readFile(listed, "utf8")).toMatch(/^total \d+\n-rw----r-- .*\nhello$/);
    }
  });

  test.runIf(canMount)("of no size is written to like others", async () => {
    await using machine = await Machine.create();
    const { endpoint, sender, ticket } = await sending(machine, 1_000);
    await mkdir(join(machine.folder, "inbox"));
    const words = ["receive", ticket, "--map", endpoint, "--into", "inbox"];
    const receiver = machine.onSmallDisk({ folder: "inbox", bytes: 0 }, ...words);
    expect((await receiver.ended).code, receiver.stderr).toBe(0);
    expect((await sender.ended).code, sender.stderr).toBe(0);
  });

  test.runIf(canMount)("with room, and none for what is kept, ends with a hint", async () => {
    await using machine = await Machine.create();
    const { endpoint, sender, ticket, content } = await sending(machine, 900_000);
    await mkdir(join(machine.folder, "state/culvert/sessions"), { recursive: true });
    const words = ["receive", ticket, "--map", endpoint, "--into", "inbox"];
    const full = machine.onSmallDisk({ folder: "state", bytes: 16_384 }, ...words);
    const { code } = await full.ended;
    expectFailure(Object.assign(full, { code, signal: null }), code === 8 ? 8 : 1, /disk/);
    const again = await machine.run(...words);
    expect(again.code, again.stderr).toBe(0);
    expect((await sender.ended).code).toBe(0);
    await expectFile(join(machine.folder, "inbox/photo.jpg"), content);
  });

  test("that is removed meanwhile is named, and what is lost can be refused", async () => {
    await using machine = await Machine.create();
    const { endpoint, sender, ticket } = await sending(machine, 4_000_000);
    const words = ["receive", ticket, "--map", endpoint];
    const receiver = machine.culvert(...words, "--into", "inbox", "--json");
    await receiver.says(/"saved":[1-9]\d{4}/);
    await rm(join(machine.folder, "inbox"), { recursive: true });
    expectFailure(Object.assign(receiver, await receiver.ended), 8, /gone.*--refuse/s);
    await sender.says(/no longer finds what it had received/);
    const again = await machine.run(...words, "--into", "inbox");
    expectFailure(again, 8, /gone.*--refuse/s);
    const refused = await machine.run(...words, "--refuse");
    expect(refused.code, refused.stderr).toBe(0);
    expect((await sender.ended).code).toBe(1);
    expect(sender.stderr).toContain("does not want this");
  });
});

describe("what was kept", () => {
  test.each([
    ["cut short", (path: string) => truncate(path, 20)],
    ["from the future", (path: string) => writeFile(path, encodeCbor({ version: 99 }))],
  ])("%s is exit status 8 for the same command", async (_what, spoil) => {
    await using machine = await Machine.create();
    const { endpoint, sender } = await sending(machine, 1_000);
    sender.process.kill("SIGINT");
    await sender.ended;
    const sessions = join(machine.folder, "state/culvert/sessions");
    const [id = ""] = await readdir(sessions);
    await spoil(join(sessions, id, "session"));
    const pipe = await machine.run("pipe", "--resume", id, "--map", endpoint);
    expectFailure(pipe, 8, /culvert status/);
  });
});

describe("a Map that disappears", () => {
  test("is waited for as long as asked, and no byte of the state is lost", async () => {
    await using machine = await Machine.create();
    const { map, endpoint } = await machine.map("--store", "records");
    const content = randomBytes(50_000);
    await writeFile(join(machine.folder, "photo.jpg"), content);
    const words = ["send", "photo.jpg", "--map", endpoint];
    const sender = machine.culvert(...words, "--peer-timeout", "4s");
    const [ticket] = await sender.says(/culvert1[a-z0-9]+/);
    await sender.says(/acknowledged/);
    map.process.kill("SIGKILL");
    await map.ended;
    expectFailure(Object.assign(sender, await sender.ended), 4, /other side/);
    expectFailure(await machine.run(...words), 5, /--map/);
    const place = machine.culvert("map", "--listen", endpoint, "--store", "records");
    await place.says(/ on /);
    const again = machine.culvert(...words);
    const receiver = await machine.run("receive", ticket, "--map", endpoint, "--into", "inbox");
    expect(receiver.code, receiver.stderr).toBe(0);
    expect((await again.ended).code, again.stderr).toBe(0);
    await expectFile(join(machine.folder, "inbox/photo.jpg"), content);
  });
});
