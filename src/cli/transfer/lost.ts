import { CommandError } from "../failure.ts";

/** The error for what had been received and is not there any more. */
export function lost(what: string, cause?: unknown): CommandError {
  return new CommandError(
    "CULVERT_BAD_STATE",
    what,
    "put them back and type the same command again, or add --refuse and ask for it anew: " +
      "what was acknowledged is not sent again",
    cause,
  );
}
