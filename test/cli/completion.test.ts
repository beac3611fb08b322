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

  test("says in its first lines where to put it", () => {
    expect(script.split("\n").slice(0, 2).join("\n")).toContain(`culvert completion ${shell} >`);
  });
});
