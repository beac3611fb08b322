import type { Cancel, Clock } from "../base/index.ts";

/** Calls `run` again and again, until it is cancelled. Does not keep the process alive. */
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

/** Resolves after `ms`. Does not keep the process alive. */
export async function pause(clock: Clock, ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    clock.schedule(clock.now() + ms, resolve, { background: true });
  });
}
