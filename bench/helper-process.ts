import { type ChildProcess, type ForkOptions, fork } from "node:child_process";
import { once } from "node:events";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

/** Another process of a benchmark: says something when it is ready, and then answers orders. */
export class HelperProcess {
  readonly #process: ChildProcess;
  readonly #gone: Promise<never>;

  /** @param name of its script: a file beside this one, without the ending */
  constructor(name: string, args: readonly string[] = [], options: ForkOptions = {}) {
    const script = new URL(`./${name}${extname(import.meta.url)}`, import.meta.url);
    this.#process = fork(fileURLToPath(script), args, options);
    this.#gone = once(this.#process, "exit").then(([code]) => {
      throw new Error(`benchmark: ${name} ended with ${code}`);
    });
    this.#gone.catch(() => {}); // it may end when nobody waits for it
  }

  /** What it says next. */
  async next(): Promise<unknown> {
    const [message] = await Promise.race([once(this.#process, "message"), this.#gone]);
    return message;
  }

  /** Gives an order whose answer nobody waits for. */
  order(order: object): void {
    this.#process.send(order);
  }

  /** Gives an order and waits for the answer: one at a time. */
  async ask(order: object): Promise<unknown> {
    this.order(order);
    return await this.next();
  }

  async stop(): Promise<void> {
    const exit = once(this.#process, "exit");
    this.#process.disconnect();
    await exit;
  }
}
