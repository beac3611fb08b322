/** The signals that ask the command to stop. */
type StopSignal = "SIGHUP" | "SIGINT" | "SIGTERM";

/** Exit status of a process that stopped because of a signal: 128 and the signal's number. */
const EXIT_OF: Readonly<Record<StopSignal, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** Thrown out of a command that was asked to stop and has saved its state. */
export class Interrupted extends Error {
  readonly exit: number;

  constructor(signal: StopSignal) {
    super(`stopped by ${signal}`);
    this.name = "AbortError";
    this.exit = EXIT_OF[signal];
  }
}

/**
 * Turns the first SIGINT, SIGTERM or SIGHUP into an abort whose reason is {@link Interrupted}, so
 * that the command can save its state and leave. A second SIGINT or SIGTERM ends the process at
 * once. A terminal that goes away hangs up more than once, by the system and by the shell, and
 * nobody is in a hurry then. A process that was started with a channel to its parent is asked to
 * stop when the parent is gone, killed or not.
 */
export function watchSignals(process: NodeJS.Process): AbortSignal {
  const controller = new AbortController();
  const stop = (signal: StopSignal): void => {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    controller.abort(new Interrupted(signal));
  };
  process.on("SIGINT", stop).on("SIGTERM", stop).on("SIGHUP", stop);
  process.once("disconnect", () => stop("SIGTERM"));
  // It may be gone before there was time to listen; without a channel this is undefined.
  if (process.connected === false) stop("SIGTERM");
  process.channel?.unref(); // it is no reason to stay
  return controller.signal;
}
