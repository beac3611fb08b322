import { createHash, randomFillSync } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { CulvertError, onAbort } from "../../base/index.ts";
import type { RunCommand } from "../command-spec.ts";
import type { Context } from "../context.ts";
import type { Child, ChildEvent } from "../demo/child.ts";
import { Stage } from "../demo/stage.ts";
import { CommandError } from "../failure.ts";
import { formatBytes, formatShare } from "../humanize.ts";
import { pause } from "../timing.ts";

const LOSS_DEFAULT = 1 / 3;
const SIZE_DEFAULT = 1_000_000;

/** Small cells, so that there are many to lose. */
const CELL_BYTES = 2048;

/** Much longer than it ever takes: something hangs then. */
const LIMIT_MS = 180_000;

/** Stands for an event that did not come. */
const NOTHING: ChildEvent = { event: "nothing" };

/** What the demo is played with. */
interface Play {
  readonly folder: string;
  readonly file: string;
  readonly size: number;
  readonly loss: number;
  readonly seed: number;
}

/**
 * `culvert demo`: a Map that loses a third of what it is given, a sender, and a receiver that is
 * killed half-way: real processes, told as a story. Its last line, on stdout, is `ok` and figures.
 */
export const demo: RunCommand = async (context, [given], options) => {
  const folder = await mkdtemp(join(tmpdir(), "culvert-demo-"));
  const stage = new Stage(context, folder);
  const interrupted = new Promise<never>((_resolve, reject) => {
    onAbort(context.stop, () => reject(context.stop.reason));
  });
  const late = pause(context.clock, LIMIT_MS).then(() => {
    throw new CulvertError("CULVERT_TIMEOUT", "the demo hangs");
  });
  try {
    const file = given === undefined ? join(folder, "water.bin") : resolve(given);
    const random = new Uint8Array(options.bytes("size") ?? SIZE_DEFAULT);
    if (given === undefined) await writeFile(file, randomFillSync(random));
    const size = await sizeOf(file);
    const loss = options.share("loss") ?? LOSS_DEFAULT;
    const play = { folder, file, size, loss, seed: options.count("seed") ?? 1 };
    await Promise.race([perform(context, stage, play), interrupted, late]);
  } finally {
    await stage.clear();
    await rm(folder, { recursive: true, force: true });
  }
};

async function perform({ output }: Context, stage: Stage, play: Play): Promise<void> {
  const { file, folder, size, loss } = play;
  const name = basename(file);
  const inbox = join(folder, "inbox");
  const digest = await sha256(file);
  stage.say(
    `${name}, ${formatBytes(size)}, is to get from alice to bob: three processes, no trust`,
  );

  const { map, endpoint } = await startMap(stage, play);
  const alice = stage.start("alice", ["send", file, "--map", endpoint]);
  const { ticket } = (await alice.hears(({ event }) => event === "ticket")) ?? NOTHING;
  stage.say(`alice$ culvert send ${name}`);
  const bar = new Bar(output);
  bar.follow("alice", "acknowledged", alice);
  const receive = ["receive", "-", "--map", endpoint, "--into", inbox];
  const startBob = (): Child => {
    const bob = stage.start("bob", receive, String(ticket));
    bar.follow("bob", "saved", bob);
    return bob;
  };
  stage.say("bob$   culvert receive");
  const restarts = await killHalfWay(stage, { size, startBob });
  stage.say("bob has it: complete, compared with alice's SHA-256, under its name");
  await alice.succeeds();
  stage.say("alice knows that he has it");
  await tellOfMap(stage, map);

  const received = await sha256(join(inbox, name));
  const verdict = received === digest ? "ok" : "failed";
  const seconds = stage.seconds.toFixed(1);
  const figures = `bytes=${size} seconds=${seconds} loss=${loss.toFixed(2)} restarts=${restarts}`;
  const hashes = `sha256(sent)=${digest} sha256(received)=${received}`;
  output.payload(`${verdict} ${figures} ${hashes}\n`);
  if (verdict !== "ok") throw new CulvertError("CULVERT_INTEGRITY");
}

/** Has bob receive, kills him half-way if that is seen, and starts him again: how often. */
async function killHalfWay(
  stage: Stage,
  { size, startBob }: { size: number; startBob: () => Child },
): Promise<number> {
  const first = startBob();
  const half = await first.hears((event) => savedBytes(event) >= size / 2);
  if (half === undefined) return 0; // so small a file is there before anyone can look
  await first.kill("SIGKILL");
  stage.say(`bob is killed (kill -9) with ${shareSaved(half, size)} on his disk`);
  const second = startBob();
  stage.say("bob$   culvert receive                 the same command again");
  const next = await second.hears((event) => savedBytes(event) > 0);
  if (next !== undefined) stage.say(`bob goes on at ${shareSaved(next, size)}`);
  await second.succeeds();
  return 1;
}

async function startMap(stage: Stage, play: Play): Promise<{ map: Child; endpoint: string }> {
  const { folder, loss, seed } = play;
  const network = ["--listen", "127.0.0.1:0", "--cell", String(CELL_BYTES)];
  const faults = ["--lose", String(loss), "--seed", String(seed)];
  const map = stage.start("map", ["map", ...network, "--store", join(folder, "map"), ...faults]);
  const { endpoints } = (await map.hears(({ event }) => event === "listening")) ?? NOTHING;
  const [endpoint]: unknown[] = Array.isArray(endpoints) ? endpoints : [];
  const share = formatShare(loss, 1);
  stage.say(
    `the Map loses ${share} of all requests, ${share} of all replies, ${share} of all records`,
  );
  return { map, endpoint: String(endpoint) };
}

async function tellOfMap(stage: Stage, map: Child): Promise<void> {
  const stopped = map.hears(({ event }) => event === "stopped");
  await map.kill("SIGTERM");
  const { records, puts, gets } = (await stopped) ?? NOTHING;
  const cells = `${records} cells of ${CELL_BYTES} bytes, one like the other`;
  stage.say(`the Map heard ${puts} puts and ${gets} gets; it holds ${cells}, and no key to any`);
}

/** One line, on a terminal, about how far both of them are. */
class Bar {
  readonly #output: Context["output"];
  readonly #shares = new Map<string, string>();

  constructor(output: Context["output"]) {
    this.#output = output;
  }

  /** Shows the step `step` of what a process tells from now on, under `name`. */
  follow(name: string, step: string, child: Child): void {
    child.listen((event) => {
      const { event: kind, [step]: bytes, totalBytes } = event;
      if (kind !== "progress" || typeof bytes !== "number" || typeof totalBytes !== "number")
        return;
      this.#shares.set(name, `${name}: ${step} ${formatShare(bytes, totalBytes)}`);
      this.#output.status(`         ${[...this.#shares.values()].join("   ")}`);
    });
  }
}

function savedBytes({ event, saved }: ChildEvent): number {
  return event === "progress" && typeof saved === "number" ? saved : 0;
}

function shareSaved(event: ChildEvent, size: number): string {
  return formatShare(savedBytes(event), size);
}

async function sizeOf(file: string): Promise<number> {
  const stats = await stat(file).catch(() => undefined);
  if (stats?.isFile() === true && stats.size > 0) return stats.size;
  const hint = "name a file that is not empty, or none: then one is made";
  throw new CommandError("CULVERT_FILE", `cannot show this with ${file}`, hint);
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
