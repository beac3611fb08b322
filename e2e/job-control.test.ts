import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Culvert, canMakeTerminals, Machine } from "./culvert.ts";

const [CTRL_C, CTRL_Z] = ["\u0003", "\u001a"];

/** A shell on a terminal in which `$COMMAND` is the command with these words. */
function shellOf(machine: Machine, ...words: readonly string[]): Culvert {
  const script = 'COMMAND="$*" PS1="> " exec script -qec "bash --norc -i" /dev/null';
  return machine.start(words, { launcher: ["sh", "-c", script, "sh"] });
}

/** What comes from now on when something is typed, up to what is waited for. */
async function typed(shell: Culvert, keys: string, wanted: RegExp): Promise<string> {
  shell.stdout = "";
  shell.process.stdin?.write(keys);
  await shell.says(wanted);
  return shell.stdout;
}

describe.runIf(canMakeTerminals() && process.platform === "linux")("a job of a shell", () => {
  test("writes in place from the foreground alone, as wide as the terminal is then", async () => {
    await using machine = await Machine.create();
    const { endpoint } = await machine.map("--memory");
    await writeFile(join(machine.folder, "file"), "x".repeat(1000));
    const shell = shellOf(machine, "send", "file", "--map", endpoint);
    await typed(shell, "stty cols 100; $COMMAND\n", /stored 100 %, .* unread data kept/);
    await typed(shell, CTRL_Z, /Stopped/);
    const front = await typed(shell, "stty cols 50; fg\n", /acknowledged 0 %(.*acknowledged){3}/s);
    const widths = front
      .split("\r\u001b[K")
      .slice(1)
      .map((line) => line.length);
    expect(Math.max(...widths), front).toBeLessThan(50);
    await typed(shell, CTRL_Z, /Stopped/);
    const back = await typed(shell, "bg\nsleep 1; echo awake\n", /^awake/m);
    expect(back).not.toContain("acknowledged");
    await typed(shell, "fg\n", /acknowledged/);
    await typed(shell, CTRL_C, /stopped; the same command goes on/);
    shell.process.stdin?.end("exit\n");
    await shell.ended;
  });

  test("asks again what it had asked when it was stopped", async () => {
    await using machine = await Machine.create();
    const shell = shellOf(machine, "receive", "--map", "127.0.0.1:1");
    await typed(shell, "$COMMAND\n", /ticket \(not shown\): /);
    await typed(shell, CTRL_Z, /Stopped/);
    await typed(shell, "fg\n", /ticket \(not shown\): /);
    shell.process.stdin?.write(CTRL_C);
    shell.process.stdin?.end("exit\n");
    await shell.ended;
  });
});
