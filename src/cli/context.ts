import type { Clock } from "../base/index.ts";
import type { CommandText } from "./arguments/command-text.ts";
import type { Paths } from "./paths.ts";
import type { Output, Screen } from "./terminal/output.ts";

/** The world of one run of the command. */
export interface Context {
  /** All there are. */
  readonly commands: readonly CommandText[];
  readonly env: NodeJS.ProcessEnv;
  readonly paths: Paths;
  readonly output: Output;
  readonly clock: Clock;
  /** Aborted, with an `Interrupted` as its reason, when the user or the system asks to stop. */
  readonly stop: AbortSignal;
  /** Permission bits that the user does not give to new files. */
  readonly umask: number;
  readonly stdin: NodeJS.ReadStream & { readonly fd: number };
  readonly stdout: Screen;
  readonly stderr: Screen;
  /** What starts this program again: the runtime, its options, the script. */
  readonly self: readonly [string, ...string[]];
}
