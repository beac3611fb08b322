#!/usr/bin/env node
import { closeSync } from "node:fs";
import { isatty } from "node:tty";
import { systemClock } from "../io/clock.ts";
import { type MakeContext, runProgram } from "./arguments/program.ts";
import { COMMANDS } from "./commands.ts";
import { CommandError, explain } from "./failure.ts";
import { findPaths } from "./paths.ts";
import { isInForeground } from "./terminal/foreground.ts";
import { Interrupted, watchSignals } from "./terminal/interrupt.ts";
import { Output } from "./terminal/output.ts";

/** How long a reader of stdout has for what was written before the command was asked to stop. */
const READER_MS = 1_000;

/** What the command writes is nobody else's business; what it receives gets the user's own bits. */
const umask = process.umask(0o077);

const { stdin, stdout, stderr, env } = process;
let broken: Error | undefined;
const onBroken = (error: Error): void => {
  if (broken !== undefined) return;
  broken = error;
  const message = `cannot write to stdout: ${explain(error).message}`;
  const hint = 'is the disk full? with room, what "culvert status" lists goes on';
  tellFailure(new CommandError("CULVERT_FILE", message, hint, error));
};
const surroundings = { stdout, stderr, env, onBroken, isForeground: isInForeground };
/** Until a command line is understood, its first word is all that is known of the command. */
let output = new Output({
  ...surroundings,
  isStdoutData: hasData(process.argv[2]),
  json: process.argv.includes("--json"),
  verbose: process.argv.includes("--verbose"),
});

const makeContext: MakeContext = ({ command, json, verbose }) => {
  // Operands may hold a ticket: take them out of what other users can list.
  const self: [string, ...string[]] = [process.execPath, ...process.execArgv, ...scriptPath()];
  process.title = `culvert ${command}`;
  output = new Output({ ...surroundings, json, verbose, isStdoutData: hasData(command) });
  const stop = watchSignals(process);
  const paths = findPaths(env);
  return {
    commands: COMMANDS,
    env,
    paths,
    output,
    clock: systemClock,
    stop,
    umask,
    self,
    stdin,
    stdout,
    stderr,
  };
};

process.once("exit", leaveTerminal);
// That a terminal has another size is told to those alone who have it then.
process.on("SIGCONT", () => process.emit("SIGWINCH", "SIGWINCH"));
try {
  await runProgram(process.argv.slice(2), COMMANDS, makeContext);
} catch (error) {
  if (error instanceof Interrupted) {
    process.exitCode = error.exit;
    leaveReader();
  } else if (error !== broken) {
    tellFailure(error);
  }
} finally {
  output.yieldTerminal();
}

/** Node gives a terminal its modes back when it exits, and aborts where that terminal has gone. */
function leaveTerminal(): void {
  for (const { isTTY, fd } of [stdin, stdout, stderr]) if (isTTY && !isatty(fd)) closeSync(fd);
}

/** What nobody reads would keep a process that was asked to stop for ever. */
function leaveReader(): void {
  if (stdout.writableLength === 0) return;
  systemClock.schedule(systemClock.now() + READER_MS, () => process.exit(), { background: true });
}

function tellFailure(error: unknown): void {
  const failure = explain(error);
  output.fail(failure, error);
  process.exitCode ??= failure.exit; // the first one says why
}

function hasData(name: string | undefined): boolean {
  return COMMANDS.some((spec) => spec.name === name && spec.isStdoutData === true);
}

function scriptPath(): string[] {
  return process.argv[1] === undefined ? [] : [process.argv[1]];
}
