import type { CommandOptions } from "./command-options.ts";
import type { Context } from "./context.ts";

/** An option of a command, in commander's notation. */
export interface OptionSpec {
  readonly flags: string;
  readonly summary: string;
}

/** What a command does once it has been understood. */
export type RunCommand = (
  context: Context,
  operands: readonly string[],
  options: CommandOptions,
) => Promise<void>;

/** One command: parsing, help and completion are all made from this. */
export interface CommandSpec {
  readonly name: string;
  /** In commander's notation: `<required>`, `[optional]`, `<many...>`. */
  readonly operands: string;
  readonly summary: string;
  /** What a user would type, and what it does, as `[command, meaning]`. */
  readonly examples: readonly (readonly [string, string])[];
  readonly options: readonly OptionSpec[];
  /** What the shell offers for operands: files, or these words. */
  readonly completes?: "files" | readonly string[];
  /** Brings in the code of the command when it is wanted: `--help` has to be fast. */
  readonly load: () => Promise<RunCommand>;
}
