import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("./map-node.ts", import.meta.url));

/** A Map node in a process of its own. */
export class NodeProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when the node listens. */
  static async start(socket: string, directory: string, payloadSize: number): Promise<NodeProcess> {
    const args = ["--import", "tsx", PROGRAM, socket, directory, String(payloadSize)];
    const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    const isReady = once(child.stdout, "data");
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`the node ended with ${String(code)} before it was ready`);
    });
    await Promise.race([isReady, ended]);
    ended.catch(() => {});
    return new NodeProcess(child);
  }

  /** Ends it as a power failure would, as far as a process can see. */
  async kill(): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  /** Asks it to end, and answers with its exit code. */
  async end(): Promise<number> {
    const ended = once(this.#child, "exit");
    this.#child.stdin?.end();
    const [code] = await ended;
    return Number(code);
  }
}
