import type { Cancel, Clock } from "./ports.ts";

/** Calls `run` every `everyMs`, until it is cancelled. Does not keep the process alive. */
export function repeat(clock: Clock, everyMs: number, run: () => void): Cancel {
  let cancel: Cancel = () => {};
  const arm = (): void => {
    const expired = (): void => {
      arm();
      run();
    };
    cancel = clock.schedule(clock.now() + everyMs, expired, { background: true });
  };
  arm();
  return () => cancel();
}
