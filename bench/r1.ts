import { payloadBytesMax } from "../src/stream/frame/frame.ts";
import {
  R1,
  type R1Plan,
  runR1,
  runR1Limit,
  shareDerivations,
  streamSubjects,
} from "../src/testing/world/index.ts";
import { misused, optionsOf, wholeNumber } from "./command-line.ts";

const USAGE = `Runs profile R1 (docs/SIMULATION.md) once, in virtual time.

  npm run -s r1 -- [--loss 0.1] [--seed 7] [--bytes 200000 | --frames 300]
                   [--paced | --window 64] [--trace] [--json]

  --loss P     chance that a request, and that a reply, is lost (0)
  --seed N     what everything random follows from (1)
  --bytes N    user bytes to carry; or --frames N cells full of them (300 paced, 2000 open)
  --paced      one put and one get of each side per 4687.5 ms, on average
  --window N   puts, and gets, under way at once (64)
  --trace      write every event to stderr
  --json       print one line of JSON

The tables of docs/PERFORMANCE.md and \`make sim\` are for 300 frames paced, and 2000 open, which is
what runs without --bytes and --frames. Fewer frames are slower: 200000 bytes are 110, and the way
of the first and of the last one weighs more.`;

const OPTIONS = {
  loss: { type: "string", default: "0" },
  seed: { type: "string", default: "1" },
  bytes: { type: "string" },
  frames: { type: "string" },
  paced: { type: "boolean", default: false },
  window: { type: "string", default: String(R1.window) },
  trace: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const values = optionsOf(OPTIONS, USAGE);

function chance(name: string, text: string, max: number): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= max) return value;
  return misused(`--${name} must be a number from 0 to ${max}`, USAGE);
}

function whole(name: string, text: string, min: number, max: number): number {
  return wholeNumber(text, { name: `--${name}`, min, max, usage: USAGE });
}

function main(): void {
  const { paced } = values;
  const loss = chance("loss", values.loss, 0.95);
  const seed = whole("seed", values.seed, 0, 2 ** 32 - 1);
  const window = whole("window", values.window, 1, 1_024);
  const frameBytes = payloadBytesMax(R1.cellBytes);
  const framesDefault = String(paced ? R1.framesPaced : R1.framesOpen);
  const frames = whole("frames", values.frames ?? framesDefault, 1, 10_000_000);
  const bytes =
    values.bytes === undefined ? frames * frameBytes : whole("bytes", values.bytes, 0, 1e10);
  const { cellBytes, rttMs, paceMeanMs } = R1;
  const told = {
    loss,
    seed,
    bytes,
    paced,
    window,
    cellBytes,
    rttMs,
    paceMeanMs: paced ? paceMeanMs : 0,
  };
  const note = values.json ? process.stderr : process.stdout;
  note.write(`parameters ${JSON.stringify(told)}\n`);

  shareDerivations();
  const options = { window, paceMeanMs: told.paceMeanMs };
  const create = streamSubjects({ cellBytes, options });
  const log = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  const plan: R1Plan = { loss, seed, bytes, frameBytes, paced, create };
  const result = runR1(values.trace ? { ...plan, log } : plan);
  if (values.json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const filled = Math.max(1, Math.ceil(bytes / frameBytes));
  const limitBps = runR1Limit({ loss, seed, frames: filled, frameBytes, paced, window });
  const ofLimit = result.goodputBps / limitBps;
  for (const [name, value] of Object.entries({ ...result, limitBps, ofLimit })) {
    process.stdout.write(`${name.padEnd(14)} ${value}\n`);
  }
}

if (values.help) process.stdout.write(`${USAGE}\n`);
else main();
