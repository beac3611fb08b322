import { CommandError } from "../failure.ts";

/** A name of a transfer has something else, which nobody has allowed to replace. */
export class NameTaken extends CommandError {
  constructor(message: string, hint: string) {
    super("CULVERT_FILE", message, hint);
  }
}

/** The error for a name that something else has. */
export function taken(destination: string): NameTaken {
  const hint = "type the same command with --force to replace files, or move it out of the way";
  return new NameTaken(`${destination} is there already`, hint);
}
