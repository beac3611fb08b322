import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import type { Context } from "./context.ts";

/**
 * Asks on the terminal and waits for a line. With `isSecret` what is typed is not shown.
 *
 * @throws the reason of `context.stop` on Ctrl-C
 */
export async function ask(
  { stdin, stderr, stop }: Context,
  question: string,
  options: { isSecret: boolean },
): Promise<string> {
  stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({
    input: stdin,
    output: options.isSecret ? silent : stderr,
    terminal: true,
  });
  // The terminal is in raw mode: Ctrl-C arrives here as a key, not as a signal.
  terminal.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    return await terminal.question("", { signal: stop });
  } catch (error) {
    stop.throwIfAborted();
    throw error;
  } finally {
    terminal.close();
    if (options.isSecret) stderr.write("\n");
  }
}
