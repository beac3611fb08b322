import type { Clock } from "./ports.ts";

/** Resolves after `ms`. Does not keep the process alive. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(clock.now() + ms, resolve, { background: true });
  });
}
