import { fstatSync, readSync, statSync } from "node:fs";
import { devNull } from "node:os";
import type { Context } from "../context.ts";
import { CommandError } from "../failure.ts";

/**
 * Refuses to begin where what arrives would be lost: nothing comes a second time.
 *
 * @throws CulvertError `CULVERT_FILE`
 */
export function requireOpenOutput({ stdout }: Pick<Context, "stdout">): void {
  if (stdout.fd === undefined || !wasClosed(stdout.fd)) return;
  const hint = "lead it to a file or a program; > /dev/null throws away what arrives";
  throw new CommandError("CULVERT_FILE", "stdout is closed", hint);
}

/**
 * Whether this was closed when the process began. Node then puts the null device there, open for
 * reading too; what a shell is told to throw away goes to one that cannot be read.
 */
function wasClosed(fd: number): boolean {
  if (process.platform === "win32") return false;
  const [found, nothing] = [fstatSync(fd), statSync(devNull)];
  if (!found.isCharacterDevice() || found.rdev !== nothing.rdev) return false;
  try {
    readSync(fd, new Uint8Array(1));
    return true;
  } catch {
    return false;
  }
}
