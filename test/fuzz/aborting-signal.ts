import type { SeededRandom } from "../../src/base/index.ts";
import type { VirtualClock } from "../../src/testing/index.ts";

/** Mostly none; else a signal that is aborted soon, or after a while. */
export function abortingSignal(random: SeededRandom, clock: VirtualClock): AbortSignal | undefined {
  if (random.below(3) > 0) return undefined;
  const controller = new AbortController();
  const ms = random.below(2) === 0 ? random.below(300) : random.below(20_000);
  clock.schedule(clock.now() + ms, () => controller.abort());
  return controller.signal;
}
