/**
 * A stream over a memory Map with capabilities, all parties on one core: how many frames a second
 * reach the reading application, as a ratio to what the same run can compute (`ceilings.ts`). Both
 * run in processes of their own, in turns (`stream-party.ts`).
 *
 * Run: `npm run -s bench -- stream`, or with a provider and sizes in KiB:
 * `node bench/dist/bench/stream.js node 1 8`.
 */
import type { ProviderName } from "../src/crypto/index.ts";
import { payloadBytesMax } from "../src/stream/frame/frame.ts";
import { atLeast, printTable, type Verdict, writeResults } from "./harness.ts";
import { HelperProcess } from "./helper-process.ts";
import { NATIVE_PROVIDERS } from "./providers.ts";
import type { Cost, Frames, PartyName, ReaderName } from "./stream-party.ts";

const ASKED: readonly { kib: number; ratio: number }[] = [
  { kib: 1, ratio: 0.7 },
  { kib: 8, ratio: 0.8 },
  { kib: 32, ratio: 0.8 },
];
/**
 * Processes of each party, and samples of each: by how it was compiled and where its memory lies,
 * one process takes up to a tenth more for each frame than the next one, as long as it lives.
 */
const PAIRS = 3;
const ROUNDS = 4;
/**
 * How long each party works before anything is timed, and for how many frames at least: more than
 * twice what a record lives, so that the Map's memory is there, and until the work of a stream is
 * compiled, which is spread over some hundred functions: a frame of sodium's takes a tenth more
 * after twelve thousand of them than after thirty.
 */
const WARM_MS = 5_000;
const WARM_FRAMES = 32_768;
/**
 * How long a sample runs, about: long enough that each has its share of the collector's work, most
 * of which is done once for some thousand frames, and short enough that some are not disturbed.
 */
const SAMPLE_MS = 800;
/**
 * So many frames come before each sample and are not timed: while the other party had its turn,
 * this one had nothing to do, and an engine at rest makes its heap smaller and collects sooner.
 */
const LEAD_FRAMES = 512;

/** One party, and what its samples cost. */
class Party {
  readonly #process: HelperProcess;
  readonly #costs: Cost[] = [];

  constructor(name: PartyName, provider: ProviderName, kib: number, reader: ReaderName) {
    this.#process = new HelperProcess("stream-party", [name, provider, String(kib), reader]);
  }

  /** Works until it goes on alike, and tells what the last frames took. */
  async warmUp(): Promise<Cost> {
    const until = performance.now() + WARM_MS;
    for (let frames = 0; ; frames += 1_024) {
      const cost = await this.#run(1_024);
      if (frames >= WARM_FRAMES && performance.now() >= until) return cost;
    }
  }

  async sample(frames: number): Promise<void> {
    await this.#run(LEAD_FRAMES);
    this.#costs.push(await this.#run(frames));
  }

  get leastCost(): Cost {
    return leastOf(this.#costs);
  }

  stop(): Promise<void> {
    return this.#process.stop();
  }

  async #run(frames: number): Promise<Cost> {
    const order: Frames = { frames };
    return (await this.#process.ask(order)) as Cost;
  }
}

/** The least disturbed samples: whatever else the machine does only ever adds. */
function leastOf(costs: readonly Cost[]): Cost {
  return {
    wallUs: Math.min(...costs.map(({ wallUs }) => wallUs)),
    cpuUs: Math.min(...costs.map(({ cpuUs }) => cpuUs)),
  };
}

interface Pair {
  readonly ceiling: Cost;
  readonly stream: Cost;
}

const ratioOf = ({ ceiling, stream }: Pair): number => ceiling.cpuUs / stream.cpuUs;

async function compareOnce(provider: ProviderName, kib: number, reader: ReaderName): Promise<Pair> {
  const [ceiling, stream] = (["ceiling", "stream"] as const).map((name) => {
    return new Party(name, provider, kib, reader);
  }) as [Party, Party];
  // One byte of the first frame is the mode; what is left over stays behind for the last one.
  const [{ wallUs }] = await Promise.all([ceiling.warmUp(), stream.warmUp()]);
  const frames = Math.max(Math.round((SAMPLE_MS * 1e3) / wallUs / 16) * 16, 64);
  for (let round = 0; round < ROUNDS; round++) {
    await ceiling.sample(frames);
    await stream.sample(frames);
  }
  await Promise.all([ceiling.stop(), stream.stop()]);
  return { ceiling: ceiling.leastCost, stream: stream.leastCost };
}

/** The least of all pairs, and the ratio of each. */
async function compare(provider: ProviderName, kib: number, reader: ReaderName) {
  const pairs: Pair[] = [];
  while (pairs.length < PAIRS) pairs.push(await compareOnce(provider, kib, reader));
  const ceiling = leastOf(pairs.map((pair) => pair.ceiling));
  const stream = leastOf(pairs.map((pair) => pair.stream));
  return { ceiling, stream, ratios: pairs.map(ratioOf) };
}

async function main(): Promise<void> {
  const [wanted, ...sizes] = process.argv.slice(2);
  const rows: Record<string, string | number>[] = [];
  const verdicts: Verdict[] = [];
  for (const name of NATIVE_PROVIDERS.filter((each) => wanted === undefined || each === wanted)) {
    for (const { kib, ratio: asked } of ASKED) {
      if (sizes.length > 0 && !sizes.includes(String(kib))) continue;
      for (const reader of ["secret", "capability"] as const) {
        const { ceiling, stream, ratios } = await compare(name, kib, reader);
        const ratio = ratioOf({ ceiling, stream });
        rows.push({
          provider: name,
          reader,
          kib,
          "ceiling, us": ceiling.cpuUs,
          "stream, us": stream.cpuUs,
          "stream, frames/s": 1e6 / stream.cpuUs,
          "MB/s": payloadBytesMax(kib * 1024) / stream.cpuUs,
          ratio,
          "of each pair": ratios.map((each) => each.toFixed(2)).join(" "),
          "by the clock": ceiling.wallUs / stream.wallUs,
        });
        const what = `${name}, by ${reader}: stream over its ceiling, ${kib} KiB`;
        verdicts.push(atLeast(what, ratio, asked));
      }
    }
  }
  printTable("a stream over a Map in memory, all parties on one core, a frame", rows);
  writeResults("stream", rows, verdicts);
}

await main();
