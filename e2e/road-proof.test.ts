import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Machine } from "./culvert.ts";
import { freePort } from "./free-port.ts";
import { NetworkOfProcesses } from "./network-process.ts";

const NODES = 6;
const PATIENCE_MS = 240_000;

const { PATH = "" } = process.env;

/** sshd insists on being called by its whole path, and is seldom on that of a user. */
const SSHD =
  [...PATH.split(delimiter), "/usr/sbin"]
    .map((place) => join(place, "sshd"))
    .find((file) => existsSync(file)) ?? "sshd";

const run = promisify(execFile);

/** Whether a program is there; says so when it is not. */
function has(...command: readonly string[]): boolean {
  const [program = "", ...words] = command;
  const isThere = spawnSync(program, words).error === undefined;
  if (!isThere) console.log(`left out: ${program} is not on this machine`);
  return isThere;
}

/** Waits until something takes connections. */
async function untilOpen(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const isOpen = await Promise.race([
      once(socket, "connect").then(() => true),
      once(socket, "close").then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Programs that nobody here wrote, at both ends of `culvert forward`, over three relays. */
describe("over the network, through forward", () => {
  let place: Machine;
  let folder: string;
  let network: NetworkOfProcesses;
  const servers: ChildProcess[] = [];

  beforeAll(async () => {
    place = await Machine.create();
    folder = await mkdtemp(join(tmpdir(), "culvert-proof-"));
    network = await NetworkOfProcesses.start(place, { count: NODES });
  }, PATIENCE_MS);

  afterAll(async () => {
    for (const server of servers) {
      if (server.exitCode !== null || server.signalCode !== null) continue;
      server.kill("SIGKILL");
      await once(server, "close");
    }
    await place[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }, PATIENCE_MS);

  function serve(program: string, ...words: readonly string[]): void {
    servers.push(spawn(program, words, { stdio: "ignore" }));
  }

  /** Makes a port here a port there, for as long as `work` takes. */
  async function forwarded(port: number, work: (entrance: number) => Promise<void>): Promise<void> {
    const [near, far] = [await Machine.create(), await Machine.create()];
    try {
      const road = ["--nodes", network.names];
      const target = near.culvert("forward", "--to", `127.0.0.1:${port}`, ...road);
      const [ticket] = await target.says(/culvert1[a-z0-9]+/);
      const source = far.culvert("forward", ticket, "--listen", "127.0.0.1:0", ...road);
      const [, entrance] = await source.says(/connections to 127\.0\.0\.1:(\d+)/);
      await work(Number(entrance));
    } finally {
      for (const machine of [near, far]) await machine[Symbol.asyncDispose]();
    }
  }

  test.runIf(has("curl", "--version"))(
    "curl gets what an http server gives",
    async () => {
      const content = randomBytes(100_000);
      const server = createHttpServer((_asked, answer) => answer.end(content));
      await once(server.listen(0, "127.0.0.1"), "listening");
      await forwarded((server.address() as AddressInfo).port, async (port) => {
        const url = `http://127.0.0.1:${port}/photo.jpg`;
        const { stdout } = await run("curl", ["-sS", url], { encoding: "buffer" });
        expect(stdout.equals(content)).toBe(true);
      });
      server.close();
    },
    PATIENCE_MS,
  );

  test.runIf(has("git", "--version"))(
    "git clones from git daemon",
    async () => {
      const repository = join(folder, "repository");
      await mkdir(repository);
      const git = (...words: string[]) => run("git", words, { cwd: repository });
      await git("init", "-q");
      await writeFile(join(repository, "photo.jpg"), randomBytes(50_000));
      await git("add", ".");
      const author = ["-c", "user.name=alice", "-c", "user.email=alice@example.org"];
      await git(...author, "commit", "-qm", "A photo");
      const port = await freePort();
      const where = [`--port=${port}`, "--listen=127.0.0.1", `--base-path=${folder}`];
      // Not by "git daemon", which is a child of git's and would outlive it.
      const { stdout: programs } = await run("git", ["--exec-path"]);
      serve(join(programs.trim(), "git-daemon"), "--export-all", ...where, folder);
      await untilOpen(port);
      await forwarded(port, async (entrance) => {
        const url = `git://127.0.0.1:${entrance}/repository`;
        await run("git", ["clone", "-q", url, join(folder, "clone")]);
        const [photo, clone] = ["repository", "clone"].map((name) => join(folder, name));
        const wanted = await readFile(join(photo ?? "", "photo.jpg"));
        expect((await readFile(join(clone ?? "", "photo.jpg"))).equals(wanted)).toBe(true);
        await run("git", ["-C", clone ?? "", "fsck", "--strict"]);
      });
    },
    PATIENCE_MS,
  );

  test.runIf(has("ssh", "-V") && has(SSHD, "-V"))(
    "OpenSSH runs a command at the other end, with what it reads",
    async () => {
      for (const name of ["host", "user"]) {
        await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, name)]);
      }
      const port = await freePort();
      const config = [
        ...[`Port ${port}`, "ListenAddress 127.0.0.1", `HostKey ${join(folder, "host")}`],
        ...[`AuthorizedKeysFile ${join(folder, "user.pub")}`, "StrictModes no", "UsePAM no"],
        ...["PasswordAuthentication no", "PermitRootLogin yes", "PidFile none"],
      ];
      await writeFile(join(folder, "sshd_config"), `${config.join("\n")}\n`);
      await mkdir("/run/sshd", { recursive: true }).catch(() => {});
      serve(SSHD, "-D", "-f", join(folder, "sshd_config"));
      await untilOpen(port);
      await forwarded(port, async (entrance) => {
        const key = (await readFile(join(folder, "host.pub"), "utf8")).trim();
        const known = join(folder, "known_hosts");
        await writeFile(known, `[127.0.0.1]:${entrance} ${key}\n`);
        const content = randomBytes(30_000);
        const ssh = spawn("ssh", [
          ...["-F", "none", "-p", String(entrance), "-i", join(folder, "user")],
          ...["-o", `UserKnownHostsFile=${known}`, "-o", "BatchMode=yes", "127.0.0.1", "cat"],
        ]);
        const chunks: Buffer[] = [];
        let words = "";
        ssh.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
        ssh.stderr.setEncoding("utf8").on("data", (text: string) => {
          words += text;
        });
        ssh.stdin.end(content);
        const [code] = await once(ssh, "close");
        expect(code, words).toBe(0);
        expect(Buffer.concat(chunks).equals(content)).toBe(true);
      });
    },
    PATIENCE_MS,
  );

  test.runIf(has("redis-cli", "--version") && has("redis-server", "--version"))(
    "redis-cli writes and reads, in one pipeline",
    async () => {
      const port = await freePort();
      const words = ["--bind", "127.0.0.1", "--save", "", "--dir", folder];
      serve("redis-server", "--port", String(port), ...words);
      await untilOpen(port);
      await forwarded(port, async (entrance) => {
        const cli = ["-h", "127.0.0.1", "-p", String(entrance)];
        await run("redis-cli", [...cli, "set", "tea", "two sugars"]);
        const { stdout } = await run("redis-cli", [...cli, "get", "tea"]);
        expect(stdout.trim()).toBe("two sugars");
        const pipeline = spawn("redis-cli", [...cli, "--pipe"]);
        let said = "";
        pipeline.stdout.setEncoding("utf8").on("data", (text: string) => {
          said += text;
        });
        pipeline.stdin.end("INCR cups\r\n".repeat(1_000));
        expect((await once(pipeline, "close"))[0], said).toBe(0);
        const { stdout: cups } = await run("redis-cli", [...cli, "get", "cups"]);
        expect(cups.trim()).toBe("1000");
      });
    },
    PATIENCE_MS,
  );
});
