/**
 * Memory of every process while a gigabyte goes through one stream: eight nodes and two clients,
 * five keepers for each frame, through three relays unless it says otherwise. It takes an hour or
 * more, so it runs only when it is named.
 *
 * Run: `npm run -s bench -- gigabyte`; `node bench/dist/bench/gigabyte.js BYTES onion|direct`.
 */

import { misused, wholeNumber } from "./command-line.ts";
import { atMost, median, printTable, writeResults } from "./harness.ts";
import { carry, openStream, RoadParties } from "./road-parties.ts";

const NODES = 8;
const USAGE = "node bench/dist/bench/gigabyte.js [BYTES [onion|direct]]";
const [bytesWord = "1e9", viaWord = "onion"] = process.argv.slice(2);
const BYTES = wholeNumber(bytesWord, { name: "BYTES", min: 1_000, max: 1e12, usage: USAGE });
if (viaWord !== "direct" && viaWord !== "onion") misused("neither onion nor direct", USAGE);
const VIA = viaWord;
const STEPS = 40;
/** After a tenth of the bytes, code and buffers are there. */
const WARM_STEPS = STEPS / 10;
const MIB = 2 ** 20;

/** Resident memory by what a process is for, of the largest one, MiB. */
interface Resident {
  readonly MB: number;
  readonly node: number;
  readonly writer: number;
  readonly reader: number;
  readonly kBps: number;
}

const { samples, peaks } = await RoadParties.with(NODES, async (road) => {
  const pair = await road.pair(VIA);
  await openStream(pair);
  const seen: Resident[] = [];
  const mostOf = async (
    parties: RoadParties["all"],
    which: "rssBytes" | "rssPeakBytes" = "rssBytes",
  ): Promise<number> => {
    const answers = await Promise.all(parties.map((party) => party.ask({ kind: "sample" })));
    return Math.max(...answers.map((answer) => answer[which])) / MIB;
  };
  for (let step = 1; step <= STEPS; step++) {
    const bytes = Math.round(BYTES / STEPS);
    const tookMs = await carry(pair, bytes);
    const [node, writer, reader] = [
      await mostOf(road.nodes),
      await mostOf([pair.writer]),
      await mostOf([pair.reader]),
    ];
    seen.push({ MB: (step * bytes) / 1e6, node, writer, reader, kBps: bytes / tookMs });
    console.log(JSON.stringify(seen.at(-1)));
  }
  const peaks = {
    node: await mostOf(road.nodes, "rssPeakBytes"),
    writer: await mostOf([pair.writer], "rssPeakBytes"),
    reader: await mostOf([pair.reader], "rssPeakBytes"),
  };
  return { samples: seen, peaks };
});

const ROLES = ["node", "writer", "reader"] as const;
/** The middle of the last tenth over that of the tenth behind the warm one. */
const growth = (role: (typeof ROLES)[number]): number => {
  const of = (from: number) =>
    median(samples.slice(from, from + WARM_STEPS).map((sample) => sample[role]));
  return of(STEPS - WARM_STEPS) - of(WARM_STEPS);
};
const rows = samples.map((sample) => ({ ...sample }));
printTable(`resident memory, MiB, ${BYTES / 1e6} MB through one stream, ${VIA}`, rows);
writeResults("gigabyte", rows, [
  atMost("node, resident MiB at most", peaks.node, 300),
  atMost("writer, resident MiB at most", peaks.writer, 200),
  atMost("reader, resident MiB at most", peaks.reader, 200),
  // A collector that comes a little later is no leak.
  ...ROLES.map((role) => atMost(`${role}, growth after the first tenth, MiB`, growth(role), 16)),
]);
