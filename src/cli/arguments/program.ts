import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { CulvertError, isCulvertError } from "../../base/index.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";
import { CommandOptions } from "./command-options.ts";
import type { CommandSpec } from "./command-spec.ts";

const INTRODUCTION = `Send files from one machine to another; they need never be online together:

  alice$ culvert send photo.jpg --map map.example:7000
  bob$   culvert receive culvert1q... --map map.example:7000

What is sent waits at a Map, on a machine that both can reach ("culvert map" starts one), or, with
--nodes in place of --map, in a network of nodes, none of which learns who sends what to whom.
After a crash, type the same command again. To see it work on this machine: culvert demo
`;

const CLOSING = `
Environment: CULVERT_NODES or CULVERT_MAP stands for --nodes or --map, CULVERT_TICKET for a ticket;
NO_COLOR is heeded, and so are XDG_STATE_HOME and XDG_DATA_HOME (see "culvert paths").

Exit status: 0 done, 1 unexpected, 2 usage, 3 bad ticket, 4 no peer in time, 5 no node reachable,
6 failed authentication or integrity, 7 data expired unread, 8 state not usable, 129/130/143
signals.`;

/** Makes the context of a run, once it is known how the user wants to be spoken to. */
export type MakeContext = (options: {
  command: string;
  json: boolean;
  verbose: boolean;
}) => Context;

/**
 * Understands a command line and runs it.
 *
 * @throws CulvertError `CULVERT_USAGE`, or what the command throws
 */
export async function runProgram(
  args: readonly string[],
  commands: readonly CommandSpec[],
  makeContext: MakeContext,
): Promise<void> {
  const program = new Command("culvert")
    .usage("<command> [options]")
    .version(readVersion(), "-V, --version", "show which version this is")
    .helpOption("-h, --help", "show this, or the help of a command")
    .helpCommand("help [command]", "show this, or the help of a command")
    .addHelpText("before", INTRODUCTION)
    .addHelpText("after", CLOSING)
    .configureOutput({ outputError: () => {} })
    .exitOverride();
  for (const spec of commands) addCommand(program, spec, makeContext);
  try {
    await program.parseAsync(spelledOut(args, commands), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw outOfPlace(args, commands) ?? asUsageError(error);
  }
}

/** An option in front of its command, where most other programs take some. */
function outOfPlace(
  args: readonly string[],
  commands: readonly CommandSpec[],
): CulvertError | undefined {
  const [first = ""] = args;
  const [option = ""] = first.split("=");
  const command = commands.find(({ name }) => args.includes(name));
  const isIts = command?.options.some(({ flags }) => flags.split(/[ ,]+/).includes(option));
  if (command === undefined || !option.startsWith("-") || isIts !== true) return undefined;
  const hint = `options come behind their command: culvert ${command.name} ${first}`;
  return new CommandError("CULVERT_USAGE", `there is no command before '${first}'`, hint);
}

/** `help send` as `send --help`: of what is no command, the parser then says so. */
function spelledOut(args: readonly string[], commands: readonly CommandSpec[]): readonly string[] {
  const [first, name] = args;
  if (first !== "help" || name === undefined) return args;
  return commands.some((spec) => spec.name === name) ? [name, "--help"] : [name];
}

function addCommand(program: Command, spec: CommandSpec, makeContext: MakeContext): void {
  const command = program
    .command(`${spec.name} ${spec.operands}`.trim())
    .summary(spec.summary)
    .helpOption("-h, --help", "show this")
    .addHelpText("before", `${examples(spec)}\n`)
    .exitOverride((error) => {
      const isUnknownOption = error.code === "commander.unknownOption";
      throw error.exitCode === 0 ? error : withHelpOf(spec, asUsageError(error), isUnknownOption);
    })
    .action(async () => {
      const values: Record<string, unknown> = command.opts();
      const options = new CommandOptions(values);
      const how = { json: options.flag("json"), verbose: options.flag("verbose") };
      const context = makeContext({ command: spec.name, ...how });
      const run = await spec.load();
      try {
        await run(context, command.args, options);
      } catch (error) {
        throw withHelpOf(spec, error);
      }
    });
  for (const { flags, summary } of spec.options) command.option(flags, summary);
}

function examples(spec: CommandSpec): string {
  const width = Math.max(...spec.examples.map(([typed]) => typed.length));
  const lines = spec.examples.map(([typed, meaning]) =>
    `  ${typed.padEnd(width)}   ${meaning}`.trimEnd(),
  );
  return [`${spec.summary.charAt(0).toUpperCase()}${spec.summary.slice(1)}:`, "", ...lines].join(
    "\n",
  );
}

/** Whoever made a mistake is shown the help of the command, if nothing better is known. */
function withHelpOf(
  { name, completes }: CommandSpec,
  error: unknown,
  isUnknownOption = false,
): unknown {
  const isPlain = isCulvertError(error, "CULVERT_USAGE") && !(error instanceof CommandError);
  if (!isPlain) return error;
  const isPath = isUnknownOption && completes === "files";
  const dash = isPath ? "; a path that begins with a dash comes behind --" : "";
  const hint = `culvert ${name} --help shows what it takes, with an example${dash}`;
  return new CommandError(error.code, error.message, hint, error);
}

/** Commander's complaint in the house's style, with its "did you mean" as the hint. */
function asUsageError(error: CommanderError): CulvertError {
  const [first = "", suggestion] = error.message.split("\n");
  const message = first.replace(/^error: /, "");
  if (error.code === "commander.help") return noCommand();
  if (suggestion === undefined) return new CulvertError("CULVERT_USAGE", message);
  const hint = suggestion.replace(/^\(Did you mean (.*)\?\)$/, "did you mean $1?");
  return new CommandError("CULVERT_USAGE", message, hint);
}

/** The help has been shown already. */
function noCommand(): CulvertError {
  const hint = "culvert demo shows it at work; culvert COMMAND --help has the options of one";
  return new CommandError("CULVERT_USAGE", "which command?", hint);
}

function readVersion(): string {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  const { version }: { version?: unknown } = JSON.parse(text);
  return String(version);
}
