import { describe, expect, onTestFinished, test, vi } from "vitest";
import { CulvertError } from "../../../src/base/index.ts";
import type { CommandSpec } from "../../../src/cli/arguments/command-spec.ts";
import { runProgram } from "../../../src/cli/arguments/program.ts";
import type { Context } from "../../../src/cli/context.ts";
import { CommandError, explain } from "../../../src/cli/failure.ts";

const seen: string[][] = [];

const COMMANDS: readonly CommandSpec[] = [
  {
    name: "carry",
    operands: "[what...]",
    summary: "carry something",
    examples: [["culvert carry water", "as far as it goes"]],
    options: [{ flags: "--far", summary: "further" }],
    completes: "files",
    load: async () => async (_context, operands) => {
      seen.push([...operands]);
      if (operands[0] === "fire") throw new CulvertError("CULVERT_USAGE", "not that");
      if (operands[0] === "sand") throw new CommandError("CULVERT_USAGE", "nor that", "try mud");
      if (operands[0] === "lead") throw new CulvertError("CULVERT_TOO_LARGE");
    },
  },
];

/** What a command line ends in: the failure that is told, and what was printed before. */
async function typed(...args: string[]) {
  let printed = "";
  for (const screen of [process.stdout, process.stderr]) {
    const spy = vi.spyOn(screen, "write").mockImplementation((chunk) => {
      printed += String(chunk);
      return true;
    });
    onTestFinished(() => spy.mockRestore());
  }
  const error = await runProgram(args, COMMANDS, () => ({}) as Context).catch(
    (thrown: unknown) => thrown,
  );
  return { printed, failure: error === undefined ? undefined : explain(error) };
}

const HELP_OF_CARRY = "culvert carry --help shows what it takes, with an example";

describe("a command line", () => {
  test("runs its command", async () => {
    expect((await typed("carry", "water", "air")).failure).toBeUndefined();
    expect(seen.at(-1)).toEqual(["water", "air"]);
  });

  test.each([
    ["carry", "--help"],
    ["carry", "-h"],
    ["help", "carry"],
  ])("shows the help of a command: %s %s", async (...args) => {
    const { printed, failure } = await typed(...args);
    expect(failure).toBeUndefined();
    expect(printed).toMatch(/^Carry something:\n\n {2}culvert carry water {3}as far as it goes\n/);
  });

  test.each([[["help"]], [["--help"]], [["-h"]]])("shows the whole help: %j", async (args) => {
    const { printed, failure } = await typed(...args);
    expect(failure).toBeUndefined();
    expect(printed).toContain("carry something");
  });

  test.each([[["carri"]], [["help", "carri"]]])("knows what was meant: %j", async (args) => {
    const { printed, failure } = await typed(...args);
    expect(failure).toMatchObject({ exit: 2, hint: "did you mean carry?" });
    expect(printed).toBe("");
  });

  test("that a command cannot use leads to the help of that command", async () => {
    expect((await typed("carry", "fire")).failure).toMatchObject({ exit: 2, hint: HELP_OF_CARRY });
    const { failure } = await typed("carry", "--quickly");
    const hint = `${HELP_OF_CARRY}; a path that begins with a dash comes behind --`;
    expect(failure).toMatchObject({ exit: 2, hint });
    expect((await typed("carry", "sand")).failure).toMatchObject({ exit: 2, hint: "try mud" });
    expect((await typed("carry", "lead")).failure).toMatchObject({ code: "CULVERT_TOO_LARGE" });
  });

  test.each(["--far", "--far=off"])("says where %s belongs that comes first", async (option) => {
    const { failure } = await typed(option, "carry", "water");
    const hint = `options come behind their command: culvert carry ${option}`;
    expect(failure).toMatchObject({ exit: 2, hint });
    const unknown = (await typed("--quickly", "carry", "water")).failure;
    expect(unknown).toMatchObject({ exit: 2, message: "unknown option '--quickly'" });
  });

  test("without a command shows the help, and is a mistake", async () => {
    const { printed, failure } = await typed();
    expect(failure).toMatchObject({ exit: 2, message: "which command?" });
    expect(printed).toContain("carry something");
  });
});
