import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { completionScript, SHELLS } from "../../../src/cli/arguments/completion.ts";
import { COMMANDS } from "../../../src/cli/commands.ts";

describe.each(SHELLS)("the completion script for %s", (shell) => {
  const script = completionScript(shell, COMMANDS);

  test("knows every command and every option", () => {
    for (const { name, options } of COMMANDS) {
      expect(script).toMatch(new RegExp(`\\b${name}\\b`));
      for (const { flags } of options) {
        const long = /--([a-z-]+)/.exec(flags)?.[1];
        expect(script, flags).toContain(shell === "fish" ? `-l ${long}` : `--${long}`);
      }
    }
  });

  test("knows short options, help, and the commands that help is of", () => {
    expect(script).toMatch(
      { bash: /\|-c\|--config\|/, zsh: /'-c\[/, fish: /-s c -l config/ }[shell],
    );
    expect(script).toContain(shell === "fish" ? "-l help" : "--help");
    expect(script).toMatch(/version/);
    expect(script).toMatch({ bash: / help\) /, zsh: / help\) /, fish: /is help' -a / }[shell]);
  });

  test("knows that a value may follow an option in the same word", () => {
    const told = { bash: /\*,=\) before/, zsh: /'--config=\[/, fish: / -l config -r -F/ }[shell];
    expect(script).toMatch(told);
  });

  test("says in its first lines where to put it", () => {
    expect(script.split("\n").slice(0, 2).join("\n")).toContain(`culvert completion ${shell} >`);
  });
});

/** What bash itself makes of a line of `culvert` when the tabulator is struck: its words. */
async function completed(line: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "culvert-completion-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "node")); // as a command is called
  await mkdir(join(folder, "two words"));
  for (const name of ["plain", "-plain"]) await writeFile(join(folder, name), "");
  await writeFile(join(folder, "script"), completionScript("bash", COMMANDS));
  // Not a process of the terminal that the tests may have: it would take that for its own.
  const bash = spawn("bash", ["--norc", "-i"], {
    cwd: folder,
    detached: true,
    env: { ...process.env, TERM: "dumb", HOME: folder },
    stdio: ["pipe", "pipe", "ignore"],
  });
  bash.stdin.end(`source ./script; culvert() { printf '<%s>' "$@"; }\n${line}\t\n`);
  return await text(bash.stdout);
}

describe("the completion for bash, in bash", { timeout: 30_000 }, () => {
  test.each([
    ["culvert su", "<subscribe>"],
    ["culvert help re", "<help><receive>"],
    ["culvert completion b", "<completion><bash>"],
    ["culvert send --det", "<send><--detach>"],
    ["culvert send --via o", "<send><--via><onion>"],
    ["culvert send --via=o", "<send><--via=onion>"],
    ["culvert node -c pl", "<node><-c><plain>"],
    ["culvert node --config=pl", "<node><--config=plain>"],
    ["culvert send pl", "<send><plain>"],
    ["culvert send tw", "<send><two words/>"],
    ["culvert send --nodes pl", "<send><--nodes><pl>"],
    ["culvert receive pl", "<receive><pl>"],
    ["culvert send -- -pl", "<send><--><-plain>"],
    ["culvert send plain -- pl", "<send><plain><--><plain>"],
  ])("%s: %s", async (line, words) => {
    expect(await completed(line)).toBe(words);
  });

  test("knows a command from a folder that is called as one", async () => {
    expect(await completed("culvert nod")).toBe("<node>");
    expect(await completed("culvert help nod")).toBe("<help><node>");
    expect(await completed("culvert send nod")).toBe("<send><node/>");
  });
});
