import type { Clock, Scheduled } from "../base/index.ts";

/** The longest delay a platform timer holds; Node turns longer ones into 1 ms. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * A timer that comes so late is the sign of a process that stood still: Node runs timers before it
 * reads sockets, and an answer that lies there would be taken for lost.
 */
const STALL_MS = 3;

/** The machine's own time: monotonic for protocols, wall clock for what outlives the process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  unixMs: () => Date.now(),
  schedule(at, run, options): Scheduled {
    let isBackground = options?.background === true;
    let timer: NodeJS.Timeout | undefined;
    let immediate: NodeJS.Immediate | undefined;
    const arm = (): void => {
      const delayMs = Math.ceil(Math.max(at - performance.now(), 0));
      timer = setTimeout(expire, Math.min(delayMs, TIMER_MS_MAX));
      if (isBackground) timer.unref();
    };
    // A platform timer may end up to a millisecond early, or at its longest delay: go on waiting.
    const expire = (): void => {
      const lateMs = performance.now() - at;
      if (lateMs < 0) arm();
      else if (lateMs < STALL_MS) run();
      else runAfterSockets();
    };
    const runAfterSockets = (): void => {
      immediate = setImmediate(run);
      if (isBackground) immediate.unref();
    };
    if (at !== Number.POSITIVE_INFINITY) arm();
    const cancel: Scheduled = () => {
      clearTimeout(timer);
      clearImmediate(immediate);
    };
    cancel.setBackground = (wanted): void => {
      isBackground = wanted;
      for (const pending of [timer, immediate]) {
        if (wanted) pending?.unref();
        else pending?.ref();
      }
    };
    return cancel;
  },
};
