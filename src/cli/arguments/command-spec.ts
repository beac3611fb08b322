import type { Context } from "../context.ts";
import type { CommandOptions } from "./command-options.ts";
import type { CommandText } from "./command-text.ts";

/** What a command does once it has been understood. */
export type RunCommand = (
  context: Context,
  operands: readonly string[],
  options: CommandOptions,
) => Promise<void>;

/** One command: parsing, help and completion are all made from this. */
export interface CommandSpec extends CommandText {
  /** Stdout carries, or may carry, what a peer sent: `--json` events go to stderr. */
  readonly isStdoutData?: true;
  /** Brings in the code of the command when it is wanted: `--help` has to be fast. */
  readonly load: () => Promise<RunCommand>;
}
