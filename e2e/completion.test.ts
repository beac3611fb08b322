import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { canMakeTerminals, Machine } from "./culvert.ts";

function has(shell: string): boolean {
  return spawnSync(shell, ["--version"]).status === 0;
}

/** A machine with the script, and with a file and folders, one of which is called as a command. */
async function machineFor(shell: string): Promise<Machine> {
  const machine = await Machine.create();
  const { stdout } = await machine.run("completion", shell);
  await writeFile(join(machine.folder, "_culvert"), stdout);
  await writeFile(join(machine.folder, "plain"), "");
  for (const folder of ["node", "two words"]) await mkdir(join(machine.folder, folder));
  return machine;
}

describe.runIf(has("fish"))("the completion for fish, in fish", () => {
  test.each([
    ["culvert su", ["subscribe"]],
    ["culvert help re", ["receive"]],
    ["culvert completion b", ["bash"]],
    ["culvert send --det", ["--detach"]],
    ["culvert send --via=o", ["--via=onion"]],
    ["culvert node -c pl", ["plain"]],
    ["culvert send pl", ["plain"]],
    ["culvert send tw", ["two words/"]],
    ["culvert receive pl", []],
    // It is a folder there.
    ["culvert send node --lis", []],
    ["culvert help send two", []],
  ])("%s: %o", async (line, offered) => {
    await using machine = await machineFor("fish");
    const script = 'source _culvert; complete -C "$argv[1]"';
    const options = { cwd: machine.folder, env: { ...process.env, HOME: machine.folder } };
    const { stdout } = spawnSync("fish", ["--no-config", "-c", script, line], options);
    const lines = String(stdout).split("\n").filter(Boolean);
    expect(lines.map((told) => told.replace(/\t.*/, ""))).toEqual(offered);
  });
});

describe.runIf(has("zsh") && canMakeTerminals())("the completion for zsh, in zsh", () => {
  test.each([
    ["culvert su", "<subscribe>"],
    ["culvert help re", "<help><receive>"],
    ["culvert completion b", "<completion><bash>"],
    ["culvert send --det", "<send><--detach>"],
    ["culvert send --via=o", "<send><--via=onion>"],
    ["culvert node -c pl", "<node><-c><plain>"],
    ["culvert send pl", "<send><plain>"],
    ["culvert receive --into tw", "<receive><--into><two words>"],
    ["culvert receive pl", "<receive><pl>"],
  ])("%s: %s", async (line, words) => {
    await using machine = await machineFor("zsh");
    const launcher = ["sh", "-c", 'TERM=dumb exec script -qec "zsh -f -i" /dev/null', "sh"];
    const shell = machine.start([], { launcher });
    const stub = "culvert() { printf '<%s>' \"$@\"; echo; }";
    const load = "fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D";
    shell.process.stdin?.write(`unsetopt zle_bracketed_paste; ${stub}; ${load}; echo re"ady"\n`);
    await shell.says(/ready/);
    shell.stdout = "";
    shell.process.stdin?.write(`${line}\t\n`);
    const [told] = await shell.says(/^<.*>/m);
    expect(told).toBe(words);
    shell.process.stdin?.end("exit\n");
    await shell.ended;
  });
});
