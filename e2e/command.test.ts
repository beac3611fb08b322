import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readdir, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { type Culvert, canMakeTerminals, Machine } from "./culvert.ts";

const GOOD_TICKET = "culvert1";

describe("the command line", () => {
  test("help opens with an example, and is on stdout", async () => {
    await using machine = await Machine.create();
    const help = await machine.run("--help");
    expect(help.code).toBe(0);
    expect(help.stdout).toMatch(/^Send files .*\n\n {2}alice\$ culvert send/);
    expect(help.stderr).toBe("");
  });

  test("mistakes are exit status 2, with a suggestion", async () => {
    await using machine = await Machine.create();
    const mistakes = [["sennd"], ["send"], ["paths", "--jsno"], ["completion", "tcsh"], []];
    for (const args of mistakes) {
      const { code, stderr, stdout } = await machine.run(...args);
      expect(code, args.join(" ")).toBe(2);
      expect(stderr).toMatch(/^culvert: error: .+\nculvert: hint: .+\n/m);
      expect(stdout).toBe("");
    }
    expect((await machine.run("sennd")).stderr).toContain("did you mean send?");
  });

  test("errors have a stack only with --verbose", async () => {
    await using machine = await Machine.create();
    expect((await machine.run("completion", "tcsh")).stderr).not.toContain("    at ");
    expect((await machine.run("completion", "tcsh", "--verbose")).stderr).toContain("    at ");
  });

  test("a bad ticket is found before the network is touched", async () => {
    await using machine = await Machine.create();
    const nowhere = ["--map", "127.0.0.1:1"];
    for (const ticket of ["hello", `${GOOD_TICKET}qqqq`]) {
      const { code } = await machine.run("receive", ticket, ...nowhere);
      expect(code, ticket).toBe(3);
    }
  });

  test("what is missing on this side is found before the network is touched", async () => {
    await using machine = await Machine.create();
    const missing = await machine.run("send", "nothing-here", "--map", "127.0.0.1:1");
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain("cannot find");
    expect(await readdir(machine.folder)).toEqual([]);
  });

  test("a Map that is not there is exit status 5, and keeps nothing", async () => {
    await using machine = await Machine.create();
    await writeFile(join(machine.folder, "file"), "x");
    const sent = await machine.run("send", "file", "--map", "127.0.0.1:1");
    expect(sent.code).toBe(5);
    expect((await machine.run("status")).stderr).toContain("nothing is unfinished");
  });

  test("the doctor tries a Map, too, and says what is wrong with it", async () => {
    await using machine = await Machine.create();
    const { map, endpoint } = await machine.map("--memory");
    const words = ["doctor", "--map", endpoint, "--json"];
    const well = await machine.run(...words);
    const outcomes = (run: Culvert): unknown[] => run.events.map(({ outcome }) => outcome);
    expect(outcomes(well), well.stderr).toEqual(["ok", "ok", "ok", "ok", undefined]);
    expect(well.code).toBe(0);
    map.process.kill("SIGKILL");
    await map.ended;
    const ill = await machine.run(...words);
    expect(outcomes(ill)).toEqual(["ok", "failed", "skipped", "skipped", undefined]);
    expect(ill.code).toBe(5);
    expect(ill.stderr).toMatch(/first: reach the Map .*\n.*--map/);
  });

  test("the doctor takes a variable that is set to nothing as one that is not set", async () => {
    await using machine = await Machine.create();
    const unset = ["CULVERT_MAP=", "CULVERT_NODES="];
    const nothing = machine.start(["doctor"], { launcher: ["env", ...unset] });
    expect((await nothing.ended).code, nothing.stderr).toBe(0);
    const node = `${"0".repeat(64)}@udp://127.0.0.1:1`;
    const variables = ["CULVERT_MAP=", `CULVERT_NODES=${node}`];
    const named = machine.start(["doctor", "--json"], { launcher: ["env", ...variables] });
    await named.ended;
    expect(named.events.map(({ layer }) => layer)).toContain("node");
  });

  test("the doctor of a user without a home folder says so, and tries the rest", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    const launcher = ["env", "-u", "XDG_STATE_HOME", "HOME="];
    const run = machine.start(["doctor", "--map", endpoint, "--json"], { launcher });
    expect((await run.ended).code).toBe(1);
    expect(run.events.map(({ outcome }) => outcome)).toEqual([
      "failed",
      "ok",
      "ok",
      "ok",
      undefined,
    ]);
  });

  test("a node whose Redis is not there says so, and does not speak of a Map", async () => {
    await using machine = await Machine.create();
    const config = join(machine.folder, "node.toml");
    await writeFile(config, '[storage]\nredis = ["redis://127.0.0.1:1"]\n');
    const { code, stderr } = await machine.run(
      "node",
      "-c",
      config,
      "--listen",
      "udp://127.0.0.1:0",
    );
    expect([code, stderr]).toEqual([5, expect.stringMatching(/hint: .*Redis server/)]);
  });

  test("a node whose Redis does not answer is stopped by the first Ctrl-C", async () => {
    await using machine = await Machine.create();
    const redis = createServer().listen(0, "127.0.0.1");
    await once(redis, "listening");
    const { port } = redis.address() as AddressInfo;
    const config = join(machine.folder, "node.toml");
    await writeFile(config, `[storage]\nredis = ["redis://127.0.0.1:${port}"]\n`);
    const node = machine.culvert("node", "-c", config, "--listen", "udp://127.0.0.1:0");
    const [socket] = (await once(redis, "connection")) as [Socket];
    node.process.kill("SIGINT");
    expect(await node.ended).toEqual({ code: 130, signal: null });
    socket.destroy();
    redis.close();
  });

  test("a closed reader is no reason to fail", () => {
    const shell = spawnSync("bash", [
      "-c",
      "set -o pipefail; node dist/cli/main.js --help | head -1",
    ]);
    expect(shell.status).toBe(0);
  });
});

describe.runIf(existsSync("/dev/full"))("a stdout that has no room", () => {
  test("is an error like others", () => {
    const full = "node dist/cli/main.js paths > /dev/full";
    const { status, stderr } = spawnSync("bash", ["-c", full], { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^culvert: error: cannot write to stdout: ENOSPC.*\nculvert: hint: .*\n$/,
    );
  });
});

describe.runIf(canMakeTerminals())("a terminal that goes away", () => {
  // The shell outlives the hangup, to tell what the command ends with; it hands it on as any does.
  const map = "map --memory --listen 127.0.0.1:0 & trap 'kill -HUP $!' HUP; wait; wait $!";
  const receive = "receive --map 127.0.0.1:1";

  test.each([
    ["stops what runs, with its own status", map, "cells of", 129],
    ["stops what asks, though no signal comes", receive, "not shown", 129],
  ])("%s", async (_, words, said, status) => {
    const shell = `trap "" HUP; node dist/cli/main.js ${words}; echo $? >&3`;
    const stdio = ["pipe", "pipe", "pipe", "pipe"] as const;
    const terminal = spawn("script", ["-qc", shell, "/dev/null"], { stdio: [...stdio] });
    const [, stdout, , ending] = terminal.stdio;
    if (!(stdout instanceof Readable && ending instanceof Readable)) throw new Error("pipes");
    let heard = "";
    for await (const words of stdout) {
      heard += words;
      if (heard.includes(said)) break;
    }
    terminal.kill("SIGKILL");
    expect(await text(ending)).toBe(`${status}\n`);
  });
});

describe("completion", () => {
  test("offers commands, options and shells to bash", async () => {
    await using machine = await Machine.create();
    const { stdout: script } = await machine.run("completion", "bash");
    const complete = (...words: string[]): string[] => {
      const ask = `${script}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _culvert; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const shell = spawnSync("bash", ["-c", ask, "-", "culvert", ...words]);
      return shell.stdout.toString().trim().split("\n");
    };
    expect(complete("se")).toEqual(["send"]);
    expect(complete("receive", "--in")).toEqual(["--into"]);
    expect(complete("completion", "")).toEqual(["bash", "zsh", "fish"]);
    const photo = join(machine.folder, "my photo.jpg");
    await writeFile(photo, "");
    expect(complete("send", join(machine.folder, "my"))).toEqual([photo]);
    expect(complete("receive", "--into", join(machine.folder, "my p"))).toEqual([photo]);
  });
});
