import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "culvert/testing";
import { expect, onTestFinished, test } from "vitest";
import { CommandOptions } from "../../src/cli/arguments/command-options.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import type { Context } from "../../src/cli/context.ts";
import { findPaths } from "../../src/cli/paths.ts";
import { SessionStore, sessionId } from "../../src/cli/session/session.ts";
import { formatTicket } from "../../src/cli/ticket/ticket.ts";
import { FakeScreen, outputOn } from "./screen.ts";

test.each(["send", "receive", "pipe"])(
  "%s takes no value that cannot be, and sees so before it asks a Map",
  async (name) => {
    const folder = await mkdtemp(join(tmpdir(), "culvert-commands-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, "file");
    await writeFile(file, "");
    const context: Partial<Context> = {
      env: { CULVERT_MAP: `unix:${folder}/none` },
      paths: findPaths({}, () => folder),
      output: outputOn(new FakeScreen(false), false),
      clock: new VirtualClock(),
      stop: new AbortController().signal,
    };
    const run = await COMMANDS.find((command) => command.name === name)?.load();
    const operands = name === "send" ? [file] : [];
    const running = run?.(
      context as Context,
      operands,
      new CommandOptions({ peerTimeout: "soon" }),
    );
    await expect(running).rejects.toMatchObject({
      code: "CULVERT_USAGE",
      message: '--peer-timeout takes a duration as 90s, 10min or 2h, not "soon"',
    });
  },
);

test("what was begun into another folder says how to name that one to a shell", async () => {
  const folder = await mkdtemp(join(tmpdir(), "culvert-commands-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [secret, map] = [new Uint8Array(32).fill(1), `unix:${folder}/none`];
  const [paths, clock] = [findPaths({}, () => folder), new VirtualClock()];
  const begun = { command: "receive", title: "photos", map } as const;
  const store = new SessionStore(paths.sessions, clock);
  const session = await store.create(sessionId("receive", secret), begun);
  const target = join(folder, "in to");
  await session.save({ target });
  const context: Partial<Context> = {
    env: { CULVERT_MAP: map, CULVERT_TICKET: formatTicket({ role: "receive", secret }) },
    ...{ paths, clock },
    output: outputOn(new FakeScreen(false), false),
    stop: new AbortController().signal,
  };
  const run = await COMMANDS.find(({ name }) => name === "receive")?.load();
  const running = run?.(context as Context, [], new CommandOptions({ into: folder }));
  await expect(running).rejects.toMatchObject({
    message: `this transfer was begun into ${target}`,
    hint: expect.stringContaining(`--into '${target}', or`),
  });
});

test("a demo of nothing, or of more than it could get through, does not begin", async () => {
  const run = await COMMANDS.find(({ name }) => name === "demo")?.load();
  for (const size of ["0", "5GB"]) {
    const running = run?.({} as Context, [], new CommandOptions({ size }));
    await expect(running, size).rejects.toMatchObject({
      code: "CULVERT_USAGE",
      message: "--size takes 1 B to 100 MB",
    });
  }
});

test.each([
  ["node", "65536", 65_535], // onions have two bytes for the length of a cell
  ["testnet", "65536", 65_535],
  ["map", "65537", 65_536],
  ["map", "255", 65_536],
])("%s takes no cells of %s bytes, and says what it takes", async (name, cell, most) => {
  const run = await COMMANDS.find((command) => command.name === name)?.load();
  const context: Partial<Context> = {
    paths: findPaths({}, () => "/home/nobody"),
    output: outputOn(new FakeScreen(false), false),
    stop: new AbortController().signal,
  };
  const running = run?.(context as Context, [], new CommandOptions({ cell, memory: true }));
  await expect(running).rejects.toMatchObject({
    code: "CULVERT_USAGE",
    message: `--cell takes a size from 256 to ${most}, not "${cell}"`,
  });
});

test("every command tells events to programs, but the one that prints a script", () => {
  const silent = COMMANDS.filter(
    ({ options }) => !options.some(({ flags }) => flags === "--json"),
  ).map(({ name }) => name);
  expect(silent).toEqual(["completion"]);
});

test("every event is on the page that tells of them", async () => {
  const page = await readFile("docs/COMMAND.md", "utf8");
  const told = new Set<string>();
  for (const name of await readdir("src/cli", { recursive: true })) {
    if (!name.endsWith(".ts")) continue;
    const code = await readFile(join("src/cli", name), "utf8");
    for (const [, event = ""] of code.matchAll(/(?:\.tell|#event)\(\s*"([a-z]+)"/g))
      told.add(event);
  }
  expect(told.size).toBeGreaterThan(20);
  told.delete("none"); // words only
  expect([...told].filter((event) => !page.includes(`\`${event}\``))).toEqual([]);
});

test("an option with an empty value is refused: as a path it would be the current folder", () => {
  const options = new CommandOptions({ ticketFile: "", into: "inbox" });
  expect(options.text("into")).toBe("inbox");
  expect(() => options.text("ticketFile")).toThrow("--ticket-file has an empty value");
});

test("a duration or a size that no number tells exactly is no value of an option", () => {
  const options = new CommandOptions({ peerTimeout: "999999999999d", size: "99999TB" });
  expect(() => options.durationMs("peerTimeout")).toThrow("--peer-timeout takes a duration");
  expect(() => options.bytes("size")).toThrow("--size takes a size");
});
