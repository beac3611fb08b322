import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { SeededRandom } from "../src/base/index.ts";
import { Pattern } from "../src/testing/world/pattern.ts";
import { type Culvert, Machine } from "./culvert.ts";
import { freePort } from "./free-port.ts";

const { CULVERT_KILLS = "20", CULVERT_SEED = "1" } = process.env;
const KILLS = Number(CULVERT_KILLS);
const SEED = Number(CULVERT_SEED);

const CLIENTS = 4;
const BYTES_MAX = 60_000;
/** The last one is a stop for a while. */
const SIGNALS = ["SIGKILL", "SIGTERM", undefined] as const;
/** Of a connection: what is asked for, and the seeds of both ways. */
const HEAD_BYTES = 8;

/** The target: checks what comes, and answers as much of another pattern. */
class Target {
  readonly server: Server;
  readonly faults: string[] = [];
  readonly #open = new Set<{ isExcused: boolean }>();
  #isKilling = false;
  whole = 0;

  constructor() {
    this.server = createServer({ allowHalfOpen: true }, (socket) => this.#take(socket));
  }

  get open(): number {
    return this.#open.size;
  }

  /** As of an {@link Entrance}. */
  async excuseWhile(killing: () => Promise<void>): Promise<void> {
    for (const one of this.#open) one.isExcused = true;
    this.#isKilling = true;
    await killing();
    this.#isKilling = false;
  }

  #take(socket: Socket): void {
    const one = { isExcused: this.#isKilling };
    this.#open.add(one);
    let head = Buffer.alloc(0);
    let came = 0;
    let bytes = 0;
    let pattern: Pattern | undefined;
    const begin = (): void => {
      bytes = head.readUInt32BE(0);
      const seed = head.readUInt32BE(4);
      pattern = new Pattern(seed);
      socket.write(new Pattern(seed + 1).bytes(0, bytes));
    };
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      let rest = chunk;
      if (pattern === undefined) {
        head = Buffer.concat([head, chunk]);
        if (head.length < HEAD_BYTES) return;
        rest = head.subarray(HEAD_BYTES);
        begin();
      }
      const at = pattern?.mismatch(came, rest);
      if (at !== undefined) this.faults.push(`a wrong byte at ${at}`);
      came += rest.length;
    });
    socket.on("end", () => {
      if (pattern !== undefined && came === bytes) this.whole += 1;
      else if (!one.isExcused) this.faults.push(`ended at ${came} of ${bytes}`);
      socket.end();
    });
    socket.on("close", () => {
      this.#open.delete(one);
    });
  }
}

/** How a connection through the forwarding went. */
type Way = "whole" | "cut" | "refused";

/** The near ends of the connections, which check what comes. */
class Entrance {
  readonly faults: string[] = [];
  readonly #port: number;
  readonly #open = new Set<{ isExcused: boolean }>();
  #isKilling = false;

  constructor(port: number) {
    this.#port = port;
  }

  /**
   * Who takes connections here is killed: the system may end them as if all had been said, also
   * those that begin meanwhile.
   */
  async excuseWhile(killing: () => Promise<void>): Promise<void> {
    for (const one of this.#open) one.isExcused = true;
    this.#isKilling = true;
    await killing();
    this.#isKilling = false;
  }

  async ask({ bytes, seed }: { bytes: number; seed: number }): Promise<Way> {
    const socket = connect({ host: "127.0.0.1", port: this.#port, allowHalfOpen: true });
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32BE(bytes, 0);
    head.writeUInt32BE(seed, 4);
    const one = { isExcused: this.#isKilling };
    const pattern = new Pattern(seed + 1);
    let came = 0;
    let isEnded = false;
    let isRefused = false;
    this.#open.add(one);
    socket.on("error", ({ code }: NodeJS.ErrnoException) => {
      isRefused = code === "ECONNREFUSED";
    });
    socket.on("data", (chunk: Buffer) => {
      const at = pattern.mismatch(came, chunk);
      if (at !== undefined) this.faults.push(`a wrong byte at ${at}`);
      came += chunk.length;
    });
    socket.on("end", () => {
      isEnded = true;
    });
    socket.write(head);
    socket.end(new Pattern(seed).bytes(0, bytes));
    await new Promise((resolve) => socket.once("close", resolve));
    this.#open.delete(one);
    if (isRefused) return "refused";
    const isWhole = isEnded && came === bytes;
    // An end says that all was said: what is cut off has to look otherwise.
    if (isEnded && !isWhole && !one.isExcused) this.faults.push(`ended at ${came} of ${bytes}`);
    return isWhole ? "whole" : "cut";
  }
}

/** A command that is started again, with the same words or others, whenever it has ended. */
class Part {
  readonly name: string;
  readonly exits: (number | string | null)[] = [];
  #now: Culvert;
  readonly #start: () => Culvert;

  constructor(name: string, first: Culvert, start: () => Culvert) {
    this.name = name;
    this.#now = first;
    this.#start = start;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#now.process.kill(signal);
    const { code, signal: by } = await this.#now.ended;
    this.exits.push(code ?? by);
  }

  async restart(signal: NodeJS.Signals, afterMs: number): Promise<void> {
    await this.stop(signal);
    await pause(afterMs);
    this.#now = this.#start();
  }

  /** What has found no Map is started again, as by whoever looks after a service. */
  async lookAfter(): Promise<void> {
    if (!this.#now.hasEnded) return;
    await this.restart("SIGTERM", 0);
  }

  async freeze(ms: number): Promise<void> {
    this.#now.process.kill("SIGSTOP");
    await pause(ms);
    this.#now.process.kill("SIGCONT");
  }

  async descriptors(): Promise<number> {
    return (await readdir(`/proc/${this.#now.process.pid}/fd`)).length;
  }
}

test(
  `carries checked bytes through ${KILLS} kills and stops of both ends and of the Map`,
  async () => {
    console.log(`seed ${SEED}, ${KILLS} kills (CULVERT_SEED, CULVERT_KILLS)`);
    const random = new SeededRandom(SEED);
    await using machine = await Machine.create();
    const target = new Target();
    await once(target.server.listen(0, "127.0.0.1"), "listening");
    const { port: targetPort } = target.server.address() as AddressInfo;
    const [mapPort, port] = [await freePort(), await freePort()];
    const endpoint = `127.0.0.1:${mapPort}`;

    const store = join(machine.folder, "store");
    const mapWords = ["map", "--listen", endpoint, "--cell", "2048", "--store", store];
    const firstMap = machine.culvert(...mapWords);
    const map = new Part("map", firstMap, () => machine.culvert(...mapWords));
    await firstMap.says(/ on 127/);
    const to = ["forward", "--to", `127.0.0.1:${targetPort}`, "--map", endpoint];
    const first = machine.culvert(...to);
    const [ticket] = await first.says(/culvert1[a-z0-9]+/);
    const { stdout } = await machine.run("status", "--json");
    const id = /"id":"([^"]+)"/.exec(stdout)?.[1] ?? "";
    const near = new Part("near", first, () => machine.culvert(...to, "--resume", id));
    const farWords = ["forward", ticket, "--listen", `127.0.0.1:${port}`, "--map", endpoint];
    const firstFar = machine.culvert(...farWords);
    const far = new Part("far", firstFar, () => machine.culvert(...farWords));
    await firstFar.says(/connections to/);

    const entrance = new Entrance(port);
    const results = { whole: 0, cut: 0, refused: 0 };
    let isOver = false;
    const client = async (number: number): Promise<void> => {
      const sizes = new SeededRandom(SEED + number);
      for (let turn = 0; !isOver; turn++) {
        const seed = 1_000_000 * number + 2 * turn;
        const way = await entrance.ask({ bytes: sizes.below(BYTES_MAX), seed });
        results[way] += 1;
        if (way !== "whole") await pause(50);
      }
    };
    expect(await entrance.ask({ bytes: 1_000, seed: 1 })).toBe("whole");
    const before = await Promise.all([near, far].map((part) => part.descriptors()));
    const clients = Array.from({ length: CLIENTS }, (_, number) => client(number + 1));
    for (let kill = 0; kill < KILLS; kill++) {
      await pause(200 + 2_500 * random.unit());
      await Promise.all([near, far].map((it) => it.lookAfter()));
      const part = [near, far, map][random.below(3)] as Part;
      const how = SIGNALS[random.below(3)];
      const ms = 1_000 * random.unit();
      const stop = (): Promise<void> =>
        how === undefined ? part.freeze(ms) : part.restart(how, ms);
      if (how === "SIGKILL" && part === far) await entrance.excuseWhile(stop);
      else if (how === "SIGKILL" && part === near) await target.excuseWhile(stop);
      else await stop();
    }
    // All comes back by itself, and nothing of what was cut is left.
    const whole = results.whole;
    while (results.whole < whole + 2 * CLIENTS) {
      await pause(100);
      await Promise.all([near, far].map((it) => it.lookAfter()));
    }
    isOver = true;
    await Promise.all(clients);
    console.log(JSON.stringify(results));
    expect([entrance.faults, target.faults]).toEqual([[], []]);
    await expect.poll(() => target.open, { timeout: 10_000 }).toBe(0);
    // A journal opens and closes files of its own.
    const now = await Promise.all([near, far].map((it) => it.descriptors()));
    for (const [at, count] of now.entries()) expect(count).toBeLessThan((before[at] ?? 0) + 6);
    for (const part of [near, far, map]) {
      await part.stop();
      // 5 is no Map to begin with, SIGTERM what comes before a process can listen to it.
      const known: unknown[] = [5, 143, "SIGTERM", "SIGKILL"];
      const strange = part.exits.filter((code) => !known.includes(code));
      expect(strange, part.name).toEqual([]);
    }
    target.server.close();
  },
  120_000 + KILLS * 20_000,
);
