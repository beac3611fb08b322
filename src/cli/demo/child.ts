import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { CulvertError } from "../../base/index.ts";

/** What a `culvert` process told with `--json`. */
export type ChildEvent = Readonly<Record<string, unknown>> & { readonly event: string };

/** How a child is started. */
export interface ChildOptions {
  /** Runtime, its options, script. */
  readonly self: readonly [string, ...string[]];
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Written to its stdin, which then ends. */
  readonly input?: string | undefined;
}

/** Another `culvert` process, listened to by its events. */
export class Child {
  /** The exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly #process: ChildProcess;
  readonly #listeners = new Set<(event: ChildEvent) => void>();
  #words = "";

  constructor({ self: [runtime, ...script], args, env, input = "" }: ChildOptions) {
    // By the channel it learns that this process is gone, be it killed: nobody else would end it.
    this.#process = spawn(runtime, [...script, ...args, "--json"], {
      env,
      stdio: ["pipe", "pipe", "pipe", "ipc"],
    });
    this.#process.stdin?.on("error", () => {}); // it may be gone before it reads
    this.#process.stdin?.end(input);
    this.#process.stderr?.on("data", (words) => {
      this.#words += String(words);
    });
    if (this.#process.stdout !== null) {
      const lines = createInterface({ input: this.#process.stdout });
      lines.on("line", (line) => this.#hear(line));
    }
    this.ended = once(this.#process, "close").then(([code, signal]) => code ?? signal);
  }

  /** Calls `listener` for every event from now on. */
  listen(listener: (event: ChildEvent) => void): void {
    this.#listeners.add(listener);
  }

  /**
   * The first event from now on that `isWanted` wants; `undefined` when the process succeeds
   * without it.
   *
   * @throws CulvertError `CULVERT_INTERNAL` when it ends in another way
   */
  async hears(isWanted: (event: ChildEvent) => boolean): Promise<ChildEvent | undefined> {
    return await new Promise((resolve, reject) => {
      this.listen((event) => {
        if (isWanted(event)) resolve(event);
      });
      this.succeeds().then(() => resolve(undefined), reject);
    });
  }

  /** @throws CulvertError `CULVERT_INTERNAL` when it ends in another way than by success */
  async succeeds(): Promise<void> {
    const end = await this.ended;
    if (end !== 0) throw this.#failure(end);
  }

  /** How it has ended, with what it said on stderr; settles when it has. */
  async endsHow(): Promise<string> {
    return this.#tellEnd(await this.ended);
  }

  /** Sends a signal and waits until the process is gone. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    this.#process.kill(signal);
    await this.ended;
  }

  #hear(line: string): void {
    const event: unknown = JSON.parse(line);
    if (isEvent(event)) for (const listener of this.#listeners) listener(event);
  }

  #tellEnd(end: number | NodeJS.Signals): string {
    const words = this.#words.trim().replaceAll("\n", "; ");
    return `ended by ${end}${words === "" ? "" : `: ${words}`}`;
  }

  #failure(end: number | NodeJS.Signals): CulvertError {
    return new CulvertError("CULVERT_INTERNAL", `a process ${this.#tellEnd(end)}`);
  }
}

function isEvent(value: unknown): value is ChildEvent {
  return typeof value === "object" && value !== null && "event" in value;
}
