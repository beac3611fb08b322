import { openSync, readSync } from "node:fs";

/** Linux tells here how long a process's first thread ran, in ns; that of Node runs JavaScript. */
const SCHEDSTAT = "/proc/self/schedstat";

/**
 * Times the steps of this process's event loop: what runs between two looks a millisecond apart, in
 * processor time of the thread that runs it, so that other processes, the compiler's threads and
 * the disk's do not count. A step delays the look after it, so what is found is never too short,
 * and at most a millisecond too long.
 */
export class LoopWatch {
  readonly #ranMs = threadClock();
  #longestMs = 0;
  #beforeMs = this.#ranMs();

  /** The longest step since the last `reset`, in milliseconds of processor time. */
  get longestMs(): number {
    return this.#longestMs;
  }

  start(): void {
    this.reset();
    const look = (): void => {
      const now = this.#ranMs();
      this.#longestMs = Math.max(this.#longestMs, now - this.#beforeMs);
      this.#beforeMs = now;
    };
    setInterval(look, 1).unref();
  }

  reset(): void {
    this.#longestMs = 0;
    this.#beforeMs = this.#ranMs();
  }
}

/** How long this thread has run, in ms; where nothing tells that, all threads of the process. */
function threadClock(): () => number {
  const ofAllThreads = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  };
  let file: number;
  try {
    file = openSync(SCHEDSTAT, "r");
  } catch {
    return ofAllThreads;
  }
  const text = Buffer.alloc(64);
  return () => {
    process.cpuUsage(); // has the kernel bring its account up to now
    const length = readSync(file, text, 0, text.length, 0);
    return Number(text.toString("latin1", 0, length).split(" ", 1)[0]) / 1e6;
  };
}
