/**
 * Times the steps of this process's event loop: what runs from one look to the next, in processor
 * time, so that other processes do not count. A look stands after every round of the loop, which
 * may hold several steps: what it finds is never too short. It keeps the loop turning.
 */
export class LoopWatch {
  #longestUs = 0;
  #before = process.cpuUsage();

  /** The longest round since the last `reset`, in milliseconds of processor time. */
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
      setImmediate(look);
    };
    setImmediate(look);
  }

  reset(): void {
    this.#longestUs = 0;
    this.#before = process.cpuUsage();
  }
}
