import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands.ts";
import { completionScript, SHELLS } from "../../src/cli/completion.ts";

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
    expect(script).toMatch({ bash: / help\) /, zsh: / help\) /, fish: /from help' -a / }[shell]);
  });

  test("says in its first lines where to put it", () => {
    expect(script.split("\n").slice(0, 2).join("\n")).toContain(`culvert completion ${shell} >`);
  });
});

describe("the completion for bash", () => {
  /** What it offers for the last of these words. */
  function offered(...words: string[]): string[] {
    const script = `${completionScript("bash", COMMANDS)}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _culvert; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = spawnSync("bash", ["-c", script, "bash", ...words], { encoding: "utf8" });
    return stdout.split("\n").filter((word) => word !== "");
  }

  test("offers commands to help, and the two roads to --via", () => {
    expect(offered("culvert", "help", "re")).toEqual(["receive"]);
    expect(offered("culvert", "send", "--via", "")).toEqual(["onion", "direct"]);
  });

  test("offers files where one is wanted, and nothing where only the user knows", () => {
    expect(offered("culvert", "node", "-c", "READ")).toEqual(["README.md"]);
    expect(offered("culvert", "send", "READ")).toEqual(["README.md"]);
    expect(offered("culvert", "send", "--nodes", "")).toEqual([]);
  });
});
