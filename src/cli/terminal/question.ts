import { createInterface, type Interface } from "node:readline/promises";
import { Writable } from "node:stream";
import { isatty } from "node:tty";
import { CulvertError } from "../../base/index.ts";
import type { Context } from "../context.ts";
import { Interrupted } from "./interrupt.ts";

/**
 * Asks on the terminal and waits for a line. With `isSecret` what is typed is not shown.
 *
 * @throws the reason of `context.stop` on Ctrl-C, Interrupted when the terminal has gone,
 *   CulvertError `CULVERT_USAGE` on Ctrl-D
 */
export async function ask(
  { stdin, stderr, stop, output }: Context,
  question: string,
  options: { isSecret: boolean },
): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({
    input: stdin,
    output: options.isSecret ? silent : stderr,
    terminal: true,
  });
  // The terminal is in raw mode: Ctrl-C arrives here as a key, not as a signal.
  terminal.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  const answered = output.yieldTerminal();
  // By now the terminal has stopped to show what is typed.
  if (options.isSecret) {
    stderr.write(question);
    // Ctrl-Z and fg: other questions it shows again itself.
    terminal.on("SIGCONT", () => stderr.write(question));
  }
  const left = new Promise<never>((_resolve, reject) => {
    const leave = (): void => reject(new CulvertError("CULVERT_USAGE", "there was no answer"));
    terminal.once("close", leave).once("error", leave);
  });
  try {
    return await Promise.race([terminal.question(question, { signal: stop }), left]);
  } catch (error) {
    stop.throwIfAborted();
    // The signal for that comes later than the end of what is typed, or to nobody but the shell.
    if (!isatty(stdin.fd)) throw new Interrupted("SIGHUP");
    throw error;
  } finally {
    answered();
    close(terminal);
    if (options.isSecret) stderr.write("\n");
  }
}

/** A terminal that has gone has no mode to be given back, and says so. */
function close(terminal: Interface): void {
  try {
    terminal.close();
  } catch {
    // Nobody is there to hear of it.
  }
}
