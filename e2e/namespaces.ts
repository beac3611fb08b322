import { execFileSync } from "node:child_process";

/** Runs a program to its end. */
function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Why a command cannot be run in a network namespace here; `undefined` when it can. */
export function whyNotInNamespace(...command: readonly string[]): string | undefined {
  const probe = `cvprobe${process.pid}`;
  try {
    run("ip", "netns", "add", probe);
    run("ip", "netns", "exec", probe, ...command);
    return undefined;
  } catch (error) {
    const [line = ""] = String(error instanceof Error ? error.message : error).split("\n");
    return `no network namespaces with ${command[0]} here (${line})`;
  } finally {
    try {
      run("ip", "netns", "del", probe);
    } catch {
      // It was never made.
    }
  }
}

/** Network namespaces of one test, with the wires between them. */
export class Namespaces {
  readonly #prefix: string;
  readonly #all: string[] = [];

  /** @param mark a letter or two that tells the tests of one process apart */
  constructor(mark: string) {
    this.#prefix = `cv${mark}${process.pid % 10_000}`;
  }

  /** How the kernel calls a namespace. */
  name(short: string): string {
    return `${this.#prefix}${short}`;
  }

  add(short: string): void {
    run("ip", "netns", "add", this.name(short));
    this.#all.push(this.name(short));
    this.in(short, "ip", "link", "set", "lo", "up");
  }

  /** A wire between two namespaces, up at both ends. */
  wire(a: { name: string; end: string }, b: { name: string; end: string }): void {
    const [x, y] = [this.name(a.name), this.name(b.name)];
    const args = ["link", "add", a.end, "netns", x, "type", "veth"];
    run("ip", ...args, "peer", "name", b.end, "netns", y);
    for (const { name, end } of [a, b]) this.in(name, "ip", "link", "set", end, "up");
  }

  /** Runs a program in a namespace. */
  in(short: string, program: string, ...args: readonly string[]): void {
    run("ip", "netns", "exec", this.name(short), program, ...args);
  }

  close(): void {
    for (const namespace of this.#all) run("ip", "netns", "del", namespace);
  }
}
