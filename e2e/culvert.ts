import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

/** The command as it is installed; `make e2e` builds it before. */
const MAIN = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
/** From wherever a process is started. */
const TSX = import.meta.resolve("tsx");

/** How a process is started, if not as a shell of a user would. */
export interface Launch {
  /** What starts the program: a namespace, a small disk. */
  readonly launcher?: readonly string[];
  /** A script of TypeScript in the place of the command. */
  readonly script?: string;
  /** How far its clock is ahead of that of everybody else, in ms. */
  readonly clockAheadMs?: number;
  /** How far it is set when {@link Culvert.setClock} says so, once or again and again, in ms. */
  readonly clockStepMs?: number;
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One `culvert` process and all that it has said. */
export class Culvert {
  readonly process: ChildProcess;
  readonly ended: Promise<Ending>;
  stdout = "";
  stderr = "";
  #heard: () => void = () => {};

  constructor(
    args: readonly string[],
    options: { env: NodeJS.ProcessEnv; cwd: string; launch: Launch },
  ) {
    const { launch, cwd } = options;
    const { launcher = [], script, clockAheadMs = 0, clockStepMs = 0 } = launch;
    const main = script === undefined ? [MAIN] : ["--import", TSX, script];
    const [program = "", ...words] = [...launcher, process.execPath, ...main, ...args];
    const isOwnClock = clockAheadMs !== 0 || clockStepMs !== 0;
    const clock = isOwnClock ? `--import=${ownClock(clockAheadMs, clockStepMs)}` : "";
    const ahead = isOwnClock ? { NODE_OPTIONS: clock } : {};
    this.process = spawn(program, words, { cwd, env: { ...options.env, ...ahead } });
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#heard();
    });
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#heard();
    });
    this.ended = once(this.process, "close").then(([code, signal]) => {
      this.#heard();
      return { code, signal };
    });
  }

  get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** Waits until stdout and stderr together match, and returns the match. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(`${this.stdout}\n${this.stderr}`);
      if (match !== null) return match;
      if (this.hasEnded) {
        throw new Error(`ended without saying ${pattern}:\n${this.stdout}\n${this.stderr}`);
      }
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  /** Sets its clock by the step that it was launched with; it runs, and has it then. */
  async setClock(): Promise<void> {
    this.process.kill("SIGUSR2");
    await this.says(CLOCK_SET);
  }

  /** The events that were told with `--json`. */
  get events(): Record<string, unknown>[] {
    const lines = this.stdout.split("\n").filter((line) => line.startsWith("{"));
    return lines.map((line) => JSON.parse(line));
  }
}

const CLOCK_SET = /clock was set/;

/** A module that moves the wall clock of the process which loads it. */
function ownClock(aheadMs: number, stepMs: number): string {
  const set = `ahead += ${stepMs}; process._rawDebug("clock was set");`;
  const code =
    `const now = Date.now; let ahead = ${aheadMs}; Date.now = () => now() + ahead;` +
    (stepMs === 0 ? "" : `process.on("SIGUSR2", () => { ${set} });`);
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

/** Whether a process can be given a terminal here. */
export function canMakeTerminals(): boolean {
  return spawnSync("script", ["-qec", "true", "/dev/null"]).status === 0;
}

/** Compares whole files: element by element, as `toEqual` does, megabytes take minutes. */
export async function expectFile(path: string, content: Uint8Array): Promise<void> {
  const found = await readFile(path);
  expect([found.length, found.equals(content)], path).toEqual([content.length, true]);
}

/** A machine of its own: folders, environment, and the processes that run on it. */
export class Machine {
  readonly folder: string;
  /** How far the clock is ahead for what is started from now on. */
  clockAheadMs = 0;
  readonly #running: Culvert[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<Machine> {
    return new Machine(await mkdtemp(join(tmpdir(), "culvert-e2e-")));
  }

  /** Starts `culvert` with these words. */
  culvert(...args: readonly string[]): Culvert {
    return this.start(args, {});
  }

  /** Starts `culvert` where a folder of this machine is a disk of so many bytes, and no more. */
  onSmallDisk(disk: { folder: string; bytes: number }, ...args: readonly string[]): Culvert {
    return this.start(args, { launcher: this.smallDisk(disk) });
  }

  /** What starts a program where a folder of this machine is a small disk. */
  smallDisk({ folder, bytes }: { folder: string; bytes: number }): readonly string[] {
    const script = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && cd . && exec "$@"';
    const shell = ["sh", "-c", script, "sh", String(bytes), join(this.folder, folder)];
    return ["unshare", "-rm", ...shell];
  }

  /** Starts `culvert` on a terminal of its own, whose shell splits the words and obeys them. */
  onTerminal(...args: readonly string[]): Culvert {
    const launcher = ["sh", "-c", 'exec script -qec "$*" /dev/null', "sh"];
    return this.start(args, { launcher });
  }

  /** Starts `culvert`, or a script, in another way than a user would. */
  start(args: readonly string[], launch: Launch): Culvert {
    const { PATH } = process.env;
    const env = {
      PATH,
      HOME: this.folder,
      XDG_STATE_HOME: join(this.folder, "state"),
      XDG_DATA_HOME: join(this.folder, "data"),
    };
    const culvert = new Culvert(args, {
      env,
      cwd: this.folder,
      launch: { clockAheadMs: this.clockAheadMs, ...launch },
    });
    this.#running.push(culvert);
    return culvert;
  }

  /** Runs `culvert` to its end, without input. */
  async run(...args: readonly string[]): Promise<Culvert & Ending> {
    const culvert = this.culvert(...args);
    culvert.process.stdin?.end();
    return Object.assign(culvert, await culvert.ended);
  }

  /** Starts a Map on a socket of this machine, and returns it with its endpoint. */
  async map(...args: readonly string[]): Promise<{ map: Culvert; endpoint: string }> {
    const map = this.culvert("map", "--listen", "127.0.0.1:0", ...args);
    const [, endpoint = ""] = await map.says(/ on (127\.0\.0\.1:\d+)/);
    return { map, endpoint };
  }

  /** Ends everything that still runs here, and removes the folders. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const culvert of this.#running) {
      if (!culvert.hasEnded) culvert.process.kill("SIGKILL");
      await culvert.ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}
