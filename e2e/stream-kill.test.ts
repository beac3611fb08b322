import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { generateSecret, secretToText } from "culvert";
import { startMapServer } from "culvert/mapservice";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SeededRandom } from "../src/base/index.ts";
import { Pattern } from "../src/testing/world/pattern.ts";

const { CULVERT_KILLS = "20", CULVERT_SEED = "1" } = process.env;
const KILLS = Number(CULVERT_KILLS);
const SEED = Number(CULVERT_SEED);

/** More than a process can carry before it is killed, for each of its lives. */
const BYTES = 500_000 + KILLS * 300_000;

/** What `stream-node.ts` writes. */
const TEXT = new Pattern(1);

const PROGRAM = fileURLToPath(new URL("./stream-node.ts", import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "culvert-stream-kill-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** One end of the stream, which may live several times. */
class End {
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #exit: Promise<number | null> = Promise.resolve(null);

  constructor(args: readonly string[]) {
    this.#args = args;
  }

  /** The exit code of the present life; `null` when it was killed. */
  get exit(): Promise<number | null> {
    return this.#exit;
  }

  /** Resolves when bytes move, or when there were none left to move. */
  async start(): Promise<void> {
    const args = ["--import", "tsx", PROGRAM, ...this.#args];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    this.#exit = once(child, "exit").then(([code]) => code);
    await Promise.race([once(child.stdout, "data"), this.#exit]);
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#exit;
  }
}

test(
  `a file arrives whole, once, through ${KILLS} SIGKILLs of both ends`,
  async () => {
    console.log(`seed ${SEED}, ${KILLS} kills (CULVERT_SEED, CULVERT_KILLS)`);
    const random = new SeededRandom(SEED);
    const server = await startMapServer({ listen: ["127.0.0.1:0"], payloadSize: 2_048 });
    const [endpoint = ""] = server.endpoints;
    const secret = secretToText(generateSecret());
    const shared = (name: string) => [endpoint, join(folder, name), secret, `${BYTES}`];
    const file = join(folder, "file");
    const ends = [new End(shared("writer")), new End([...shared("reader"), file])] as const;
    try {
      await Promise.all(ends.map((end) => end.start()));
      for (let kill = 0; kill < KILLS; kill++) {
        await pause(300 * random.unit());
        const { size } = await stat(file);
        expect(size, `bytes in the file before kill ${kill}`).toBeLessThan(BYTES);
        const end = ends[random.unit() < 0.5 ? 0 : 1];
        await end.kill();
        await end.start();
      }
      expect(await Promise.all(ends.map((end) => end.exit))).toEqual([0, 0]);
    } finally {
      await Promise.all(ends.map((end) => end.kill()));
      await server.close();
    }
    const arrived = await readFile(file);
    expect(arrived.length).toBe(BYTES);
    expect(arrived.equals(TEXT.bytes(0, BYTES))).toBe(true);
  },
  120_000 + KILLS * 20_000,
);
