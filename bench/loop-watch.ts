/**
 * Times the steps of this process's event loop: what runs between two looks a millisecond apart, in
 * processor time, so that other processes do not count. A step delays the look after it, so what is
 * found is never too short, and at most a millisecond too long.
 */
export class LoopWatch {
  #longestUs = 0;
  #before = process.cpuUsage();

  /** The longest step since the last `reset`, in milliseconds of processor time. */
  get longestMs(): number {
    return this.#longestUs / 1_000;
  }

  start(): void {
    this.reset();
    const look = (): void => {
      const now = process.cpuUsage();
      const us = now.user + now.system - this.#before.user - this.#before.system;
      this.#longestUs = Math.max(this.#longestUs, us);
      this.#before = now;
    };
    setInterval(look, 1).unref();
  }

  reset(): void {
    this.#longestUs = 0;
    this.#before = process.cpuUsage();
  }
}
