import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Whether this machine has what these tests start (Debian's package `redis-server`). */
export async function hasRedis(): Promise<boolean> {
  return await run("redis-server", ["--version"]).then(
    () => true,
    () => false,
  );
}

/** A real server on a loopback port of its own, with a folder of its own. */
export class RedisProcess {
  readonly port: number;
  readonly #folder: string;
  readonly #options: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, folder: string, options: readonly string[]) {
    this.port = port;
    this.#folder = folder;
    this.#options = options;
  }

  static async start(...options: readonly string[]): Promise<RedisProcess> {
    const folder = await mkdtemp(join(tmpdir(), "culvert-redis-"));
    const redis = new RedisProcess(await freePort(), folder, options);
    await redis.restart();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it, again with what its folder has. */
  async restart(): Promise<void> {
    const words = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.#folder];
    const durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
    const server = spawn("redis-server", [...words, ...durable, ...this.#options], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#process = server;
    for await (const chunk of server.stdout) {
      if (String(chunk).includes("Ready to accept connections")) break;
    }
    server.stdout.resume();
  }

  async kill(): Promise<void> {
    const server = this.#process;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
  }

  /** Copies what it has now; `setBack` has it start from that again. */
  async backUp(): Promise<void> {
    await cp(this.#folder, `${this.#folder}-copy`, { recursive: true });
  }

  /** Kills it, and starts it with what it had at its `backUp`. */
  async setBack(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true });
    await cp(`${this.#folder}-copy`, this.#folder, { recursive: true });
    await this.restart();
  }

  /** It answers nothing, and its connections stay, until it goes on. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  goOn(): void {
    this.#process?.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
    await rm(`${this.#folder}-copy`, { recursive: true, force: true });
  }

  async cli(...words: readonly string[]): Promise<string> {
    return (await run("redis-cli", ["-p", String(this.port), ...words])).stdout;
  }
}

/**
 * Joins servers that were started with `--cluster-enabled yes`: half masters, half replicas. Waits
 * until every replica has its master's data: before that it would never be elected.
 */
export async function makeCluster(nodes: readonly RedisProcess[]): Promise<void> {
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const words = ["--cluster", "create", ...addresses, "--cluster-replicas", "1", "--cluster-yes"];
  await run("redis-cli", words);
  for (;;) {
    const states = await Promise.all(nodes.map((node) => node.cli("cluster", "info")));
    const roles = await Promise.all(nodes.map((node) => node.cli("info", "replication")));
    const replicas = roles.filter((role) => role.includes("master_link_status:up"));
    const isWhole = states.every((state) => state.includes("cluster_state:ok"));
    if (isWhole && replicas.length === nodes.length / 2) return;
    await sleep(100);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP port has a number");
  // A cluster node also listens 10,000 ports above its own.
  return address.port > 55_000 ? address.port - 20_000 : address.port;
}
