import { randomFillSync } from "node:crypto";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { CulvertError, onAbort, pause } from "../../base/index.ts";
import type { RunCommand } from "../arguments/command-spec.ts";
import type { Context } from "../context.ts";
import { playLossyMap } from "../demo/lossy-map.ts";
import { playNetwork } from "../demo/network.ts";
import { type Play, sha256 } from "../demo/play.ts";
import { Stage } from "../demo/stage.ts";
import { CommandError } from "../failure.ts";
import { formatBytes } from "../humanize.ts";

const LOSS_DEFAULT = 1 / 3;
const SIZE_DEFAULT = 500_000;
/** Of a file that is made for it: no demo gets more through in its time. */
const SIZE_MAX = 100_000_000;

/** Much longer than it ever takes: something hangs then. */
const LIMIT_MS = 180_000;

/**
 * `culvert demo`: a file goes twice from alice to bob, over a Map that loses a third of what it is
 * given, and over a network of nodes; processes are killed on the way. Real processes, told as a
 * story. Its last line, on stdout, is `ok` and figures.
 */
export const demo: RunCommand = async (context, [given], options) => {
  const sizeAsked = options.bytes("size") ?? SIZE_DEFAULT;
  if (sizeAsked < 1 || sizeAsked > SIZE_MAX) {
    throw new CulvertError("CULVERT_USAGE", `--size takes 1 B to ${formatBytes(SIZE_MAX)}`);
  }
  const folder = await mkdtemp(join(tmpdir(), "culvert-demo-"));
  const stage = new Stage(context, folder);
  const interrupted = new Promise<never>((_resolve, reject) => {
    onAbort(context.stop, () => reject(context.stop.reason));
  });
  const late = pause(context.clock, LIMIT_MS).then(() => {
    const hint = "a smaller --size, or less --loss, takes less time";
    throw new CommandError("CULVERT_TIMEOUT", "the demo takes too long", hint);
  });
  try {
    const file = given === undefined ? join(folder, "water.bin") : resolve(given);
    if (given === undefined) await writeFile(file, randomFillSync(new Uint8Array(sizeAsked)));
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
  const { file, size, loss } = play;
  const digest = await sha256(file);
  const what = `${basename(file)}, ${formatBytes(size)}`;
  stage.say(`${what}, is to get from alice to bob, who trust nobody between them`);
  stage.say("first over one Map of three processes");
  const first = await playLossyMap(output, stage, play);
  stage.say("then over a network, where nobody learns who sends what to whom");
  const second = await playNetwork(output, stage, play);

  const isWhole = first.received === digest && second.received === digest;
  const seconds = stage.seconds.toFixed(1);
  const restarts = first.restarts + second.restarts;
  const figures = `bytes=${size} seconds=${seconds} loss=${loss.toFixed(2)} restarts=${restarts}`;
  const hashes = `sha256(sent)=${digest} sha256(received)=${second.received}`;
  if (output.isJson) output.tell("result", { isWhole, bytes: size, restarts, sha256: digest });
  else output.payload(`${isWhole ? "ok" : "failed"} ${figures} ${hashes}\n`);
  if (!isWhole) throw new CulvertError("CULVERT_INTEGRITY");
}

async function sizeOf(file: string): Promise<number> {
  const stats = await stat(file).catch(() => undefined);
  if (stats?.isFile() === true && stats.size > 0) return stats.size;
  const hint = "name a file that is not empty, or none: then one is made";
  throw new CommandError("CULVERT_FILE", `cannot show this with ${file}`, hint);
}
