import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("./reach-node.ts", import.meta.url));

interface Answer {
  readonly id: number;
  readonly result?: string;
  readonly error?: string;
}

/** A node with links in a process of its own, maybe in a network namespace of its own. */
export class ReachProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastId = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) throw new Error("the node has no output");
    createInterface({ input: child.stdout }).on("line", (line) => {
      const answer = JSON.parse(line) as Answer;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
    child.on("exit", (code) => {
      for (const [id, settle] of this.#waiting) settle({ id, error: `it ended with ${code}` });
    });
  }

  /** Resolves when the node listens. */
  static async start(options: {
    readonly seed: number;
    readonly bindHost: string;
    readonly role?: "node" | "relay";
    readonly namespace?: string;
  }): Promise<ReachProcess> {
    const { seed, bindHost, role = "node", namespace } = options;
    const args = ["--import", "tsx", PROGRAM, String(seed), bindHost, role];
    const [program, ...rest] =
      namespace === undefined
        ? [process.execPath, ...args]
        : ["ip", "netns", "exec", namespace, process.execPath, ...args];
    const child = spawn(program ?? "", rest, { stdio: ["pipe", "pipe", "inherit"] });
    const started = new ReachProcess(child);
    await started.#answer(0);
    return started;
  }

  /** Has the node do something, and answers with what came of it. */
  ask(command: { readonly do: string } & Record<string, unknown>): Promise<string> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answered = this.#answer(id);
    this.#child.stdin?.write(`${JSON.stringify({ id, ...command })}\n`);
    return answered;
  }

  /** Asks it to end. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin?.end();
    await ended;
  }

  #answer(id: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error === undefined) resolve(result ?? "");
        else reject(new Error(error));
      });
    });
  }
}
