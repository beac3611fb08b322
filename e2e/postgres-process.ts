import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Whoever runs this; but the server refuses to be root, who becomes a user without rights. */
const ASIDE = process.getuid?.() === 0 ? ["su", "postgres", "-s", "/bin/sh", "-c"] : ["sh", "-c"];

/**
 * Where the server's programs are (Debian's package `postgresql` keeps them off the PATH), or
 * nothing where it is not installed.
 */
export async function postgresPrograms(): Promise<string | undefined> {
  const candidates = "$(command -v initdb) $(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)";
  const script = `for it in ${candidates}; do [ -x "$it" ] && readlink -f "$it"; done | tail -1`;
  try {
    const path = (await aside(script)).trim();
    return path === "" ? undefined : path.slice(0, -"/initdb".length);
  } catch {
    return undefined;
  }
}

/** A real server in a folder of its own, reached by a UNIX socket in it and by nothing else. */
export class PostgresProcess {
  /** Of the socket. */
  readonly path: string;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = join(folder, ".s.PGSQL.5432");
  }

  /** Resolves when it takes connections, from a user `culvert` who has this password. */
  static async start(programs: string, password: string): Promise<PostgresProcess> {
    const folder = await mkdtemp(join(tmpdir(), "culvert-pg-"));
    // The server makes its own folder inside, and its socket beside that.
    await chmod(folder, 0o777);
    const server = new PostgresProcess(folder);
    const identity = "--username=culvert --auth=scram-sha-256 --pwfile=/dev/stdin";
    await aside(
      `printf %s '${password}' | '${programs}/initdb' -D '${folder}/data' ${identity} --no-sync`,
    );
    await server.#listen(programs);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const server = this.#process;
    if (server !== undefined && server.exitCode === null && server.signalCode === null) {
      const ended = once(server, "exit");
      // Root's own child may be `su`, which does not pass every signal on: the server's id is kept.
      await aside(`kill -INT "$(head -1 '${this.#folder}/data/postmaster.pid')"`);
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #listen(programs: string): Promise<void> {
    const quick = "-c fsync=off -c listen_addresses=''";
    const places = `-D '${this.#folder}/data' -k '${this.#folder}'`;
    const command = `exec '${programs}/postgres' ${places} ${quick}`;
    const [program = "", ...words] = [...ASIDE, command];
    const server = spawn(program, words, { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = server;
    let said = "";
    for await (const chunk of server.stderr) {
      said += String(chunk);
      if (said.includes("ready to accept connections")) break;
    }
    if (!said.includes("ready to accept connections")) throw new Error(`no server: ${said}`);
    server.stderr.resume();
  }
}

async function aside(script: string): Promise<string> {
  const [program = "", ...words] = [...ASIDE, script];
  return (await run(program, words, { cwd: tmpdir() })).stdout;
}
